"""Every page within reach of an operator's links is sound and light, whichever pages there are by now."""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Response

from tests.browser.console import NARROWEST, Console

MOST = 150_000
"""Bytes of a page with all that it loads into an empty browser, before compression: phones are on trains."""
LEAST = 10
"""How many kinds of pages there are at the very least: fewer mean that links were not followed."""
TENANT = "globex"
_LINKS = "links => links.filter(link => !link.download).map(link => link.getAttribute('href'))"


@pytest.mark.parametrize("console", NARROWEST, indirect=True, ids=str)
def test_every_page_is_sound_and_light(console: Console) -> None:
    loaded: list[Response] = []
    console.page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108 -- Playwright can't wrap what is built in
    console.context.new_cdp_session(console.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    console.go("/console")
    weights = {"sign-in": weight(loaded)}
    console.sign_in(console.operator)
    seen, waiting = {"/console"}, deque(["/console", f"/console/{TENANT}", f"/console/{TENANT}?q=user.nam:x"])
    while waiting:
        path = waiting.popleft()
        loaded.clear()
        console.go(path, 400 if "user.nam" in path else 200)
        weights[path] = weight(loaded)
        console.check()
        for link in console.page.locator("a[href^='/console']").evaluate_all(_LINKS):
            if (found := kind(link)) is not None and found not in seen:
                seen.add(found)
                waiting.append(link)
    assert len(weights) >= LEAST, weights
    assert all(5_000 < weighed < MOST for weighed in weights.values()), weights


def weight(loaded: list[Response]) -> int:
    """Bytes of everything that was loaded."""
    return sum(len(response.body()) for response in loaded if not 300 <= response.status < 400)


def kind(link: str) -> str | None:
    """The kind of page that a link leads to; None for other tenants' pages, which are of the same kinds, and for files."""
    parts = urlsplit(link).path.split("/")[2:]
    if len(parts) < 1 or parts[0] not in {TENANT, "-"} or parts[-1] == "export":
        return None
    return "/".join([*parts[:2], *("*" for _ in parts[2:])]) if "events" in parts else "/".join(parts)
