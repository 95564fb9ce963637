"""Every page within reach of an operator's links is sound and light, whichever pages there are by now."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.console import NARROWEST, Console

MOST = 150_000
"""Bytes of a page with all that it loads into an empty browser, before compression: phones are on trains."""
LEAST = 10
"""How many kinds of pages there are at the very least: fewer mean that links were not followed."""
TENANT = "globex"
_LINKS = "links => links.filter(link => !link.download).map(link => link.getAttribute('href'))"


@pytest.mark.parametrize("console", NARROWEST, indirect=True, ids=str)
def test_every_page_is_sound_and_light(console: Console) -> None:
    weights, path = Counter[str](), "sign-in"

    def received(event: dict[str, Any]) -> None:
        weights[path] += event["dataLength"]

    wire = console.context.new_cdp_session(console.page)
    wire.on("Network.dataReceived", received)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    console.go("/console")
    console.sign_in(console.operator)
    seen, waiting = {"/console"}, deque(["/console", f"/console/{TENANT}", f"/console/{TENANT}?q=user.nam:x"])
    while waiting:
        path = waiting.popleft()
        weights[path] = 0  # some are visited twice
        console.go(path, 400 if "user.nam" in path else 200)
        console.check()
        for link in console.page.locator("a[href^='/console']").evaluate_all(_LINKS):
            if (found := kind(link)) is not None and found not in seen:
                seen.add(found)
                waiting.append(link)
    assert len(weights) >= LEAST, weights
    assert all(5_000 < weighed < MOST for weighed in weights.values()), weights


def kind(link: str) -> str | None:
    """The kind of page that a link leads to; None for other tenants' pages, which are of the same kinds, and for files."""
    parts = urlsplit(link).path.split("/")[2:]
    if len(parts) < 1 or parts[0] not in {TENANT, "-"} or parts[-1] == "export":
        return None
    return "/".join([*parts[:2], *("*" for _ in parts[2:])]) if "events" in parts else "/".join(parts)
