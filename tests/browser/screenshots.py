"""`python -m tests.browser.screenshots` takes the README's pictures anew: of the sample tenants, in light and dark."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from tests.browser.conftest import NOWHERE
from tests.browser.console import Colours, Console, View
from tests.browser.served import Tenantry
from tests.daemon import ROOT
from tests.servers import chromium

COLOURS: Final[tuple[Colours, ...]] = ("light", "dark")
SHOWN: Final = "http://127.0.0.1:8080"
"""What the pages call the service, as after `make run`, whatever its port is here."""
LOG: Final = "/console/globex?range=all&q=event.category:authentication"
IMAGES: Final = ROOT / "docs" / "images"
PICTURES: Final = {
    "log": (View(1280, 800, "light"), LOG),
    "keys": (View(1280, 800, "light"), "/console/globex/keys"),
    "phone": (View(390, 800, "light"), LOG),
}
"""By name: how large it is, and what is on it. The name of the file has the colours, too."""


def take(into: Path) -> list[Path]:
    """Takes them all, and answers the files."""
    taken = []
    with (
        Tenantry(public_url=SHOWN) as service,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium.fetch(), args=[NOWHERE]) as browser,
    ):
        for (name, (size, path)), colours in product(PICTURES.items(), COLOURS):
            console = Console(browser, View(size.width, size.height, colours), service.url, service.operator)
            console.sign_in(console.operator)
            console.go(path)
            console.check()
            taken.append(into / f"{name}-{colours}.png")
            console.page.screenshot(path=taken[-1], animations="disabled", caret="hide")
            console.close()
    return taken


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    for file in take(IMAGES):
        sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:,.0f} KB\n")
