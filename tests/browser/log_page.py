"""The log's page, for the tests that use it: its rows, its total, what its address asks for, and a drag over its histogram."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator

from tests.browser.console import Console

ALL: Final = "/console/globex?range=all"
OWN: Final = "NOT event.provider:tenantry"


def unique(name: str) -> str:
    """A name that no test has had before: the service is shared."""
    return f"{name} {time.monotonic_ns()}"


def rows(console: Console) -> Locator:
    """The rows of the table of events."""
    return console.page.locator(".events tbody tr")


def parameters(console: Console) -> dict[str, str]:
    """What the page's address asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(console.page.url).query).items()}


def total(console: Console) -> int:
    """How many events the page says that there are."""
    return int(console.page.locator(".count strong").inner_text().replace(",", ""))


def counted(console: Console, tenant: str = "globex", q: str = OWN, **times: str) -> int:
    """How many events the API counts."""
    answer = console.api("GET", f"/v1/tenants/{tenant}/events/counts", params={"q": q, **times})
    return int(answer.json()["total"])


def drag(console: Console, start: float, end: float) -> None:
    """Drags over the histogram, from one part of its width to another: with a finger on a phone, else with a mouse."""
    picture = console.page.locator(".chart svg")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    xs = [box["x"] + box["width"] * (start + (end - start) * step / 5) for step in range(6)]
    if not console.view.phone:
        console.page.mouse.move(xs[0], y)
        console.page.mouse.down()
        for x in xs:
            console.page.mouse.move(x, y)
        console.page.mouse.up()
        return
    session = console.context.new_cdp_session(console.page)
    for kind, x in (("touchStart", xs[0]), *(("touchMove", x) for x in xs)):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
