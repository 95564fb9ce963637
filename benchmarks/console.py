"""The console in front of one tenant with a million events, embedded: its first page in a real browser, and its searches.

The first page's peer is the same page out of the browser's own hand, so the ratio says what the service takes of it; the searches' peer is
the API's search, which answers the same events without the histogram and top values around them.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Browser, Page, Route, sync_playwright

from benchmarks.__main__ import MissingPeerError
from benchmarks.corpus import lines
from benchmarks.search import QUERIES
from benchmarks.service import Served, served
from services.sample.load import REALMS
from tests.servers import chromium
from tests.servers.cache import Missing

_EVENTS: Final = 1_000_000
_TIMES: Final = 100
_LOADS: Final = 20
_ROWS: Final = 50
_INTERACTIVE: Final = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return Math.max(page.domContentLoadedEventEnd, paint.startTime);
}"""
"""Milliseconds from the press of Enter until the page stands there, and its script has run."""


def run(events: int | None, runs: int) -> dict[str, Any]:
    """The figures, in milliseconds."""
    count = events or _EVENTS
    try:
        program = chromium.fetch()
    except Missing as error:
        raise MissingPeerError(str(error)) from error
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "data") as service:
        file = Path(directory) / "events.ndjson"
        with file.open("wb") as written:
            written.writelines(lines(count, realm=REALMS[0]["id"]))
        service.command("ingest", "--source", "keycloak", "--wait", str(file))
        token = (Path(directory) / "data" / "operator.token").read_text().strip()
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program) as browser:
            loads = _loads(browser, service, token, runs)
        searches = _searches(service, token, runs)
    p95 = {name: statistics.quantiles(times, n=20)[-1] for name, times in searches.items()}
    return {
        "events": count,
        "runs": runs,
        "first_page_ms": statistics.median(loads["first"]),
        "first_page_worst_ms": max(loads["first"]),
        "page_peer": "the same page out of the browser's own hand",
        "page_peer_ms": statistics.median(loads["peer"]),
        "page_ratio": statistics.median(loads["peer"]) / statistics.median(loads["first"]),
        "search_p50_ms": statistics.median(searches["console"]),
        "search_p95_ms": p95["console"],
        "peer": "the API's search, without histogram and top values",
        "peer_p95_ms": p95["api"],
        "ratio": p95["api"] / p95["console"],
    }


def _loads(browser: Browser, service: Served, token: str, runs: int) -> dict[str, list[float]]:
    """The first page, alternately from the service and from its peer."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{service.url}/console")
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    address = f"{service.url}/console/{REALMS[0]['name']}"
    answer = page.goto(address)
    assert answer is not None
    assert answer.ok, answer.status
    body, headers = answer.body(), answer.all_headers()

    def out_of_hand(route: Route) -> None:
        route.fulfill(status=200, body=body, headers=headers)

    found: dict[str, list[float]] = {"first": [], "peer": []}
    for _ in range(runs * _LOADS):
        found["first"].append(_interactive(page, address))
        page.route(address, out_of_hand)
        found["peer"].append(_interactive(page, address))
        page.unroute(address)
    context.close()
    return found


def _interactive(page: Page, address: str) -> float:
    page.goto(address, wait_until="load")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    return float(page.evaluate(_INTERACTIVE))


def _searches(service: Served, token: str, runs: int) -> dict[str, list[float]]:
    """Searches of both, alternately the same one."""
    dice = random.Random(1)
    tenant = REALMS[0]["name"]
    found: dict[str, list[float]] = {"console": [], "api": []}
    with httpx.Client(base_url=service.url, timeout=60, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        signed = client.post("/console/-/sign-in", data={"token": token})
        assert signed.status_code == 303, signed.status_code
        own = {"Authorization": f"Bearer {token}"}
        for _ in range(runs * _TIMES):
            q = dice.choice(QUERIES)
            found["console"].append(_timed(client, f"/console/{tenant}", {"q": q, "range": "all"}, {}))
            found["api"].append(_timed(client, f"/v1/tenants/{tenant}/events", {"q": q, "limit": str(_ROWS)}, own))
    return found


def _timed(client: httpx.Client, path: str, params: dict[str, str], headers: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = client.get(path, params=params, headers=headers)
    took = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 200, answer.text[:500]
    return took
