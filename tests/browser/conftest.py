"""Fixtures of the browser tests: one service and one Chromium, shared; a fresh `console` for each test, in each view, and an `analyst`.

They are synchronous, as tests read best so. Playwright keeps its event loop marked as running between calls, which no asynchronous test
of this thread would survive: so the browser ends with this package, and no test of it may be asynchronous.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.console import DESK_DARK, DESK_LIGHT, PHONE_DARK, PHONE_LIGHT, Console, View
from tests.browser.log_page import unique
from tests.browser.served import Tenantry

VIEWS: Final = (PHONE_DARK, DESK_LIGHT, *(pytest.param(view, marks=pytest.mark.long) for view in (PHONE_LIGHT, DESK_DARK)))
"""Between them, the first two have both widths and both colours; the others are for `make test-all`."""
NOWHERE: Final = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Chromium finds no other host, whatever it may look for."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a `console` runs in every view, unless it names its own by `@pytest.mark.parametrize("console", […], indirect=True)`."""
    chosen = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "console" in metafunc.fixturenames and not any("console" in names for names in chosen):
        metafunc.parametrize("console", VIEWS, indirect=True, ids=str)


@pytest.fixture(scope="package")
def service(chromium: Path) -> Iterator[Tenantry]:
    """A service with the sample tenants, shared: a test that changes anything makes a tenant of its own."""
    with Tenantry() as running:
        yield running


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """What drives browsers."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright, chromium: Path) -> Iterator[Browser]:
    """A Chromium, shared."""
    with playwright.chromium.launch(executable_path=chromium, args=[NOWHERE]) as launched:
        yield launched


@pytest.fixture
def console(request: pytest.FixtureRequest, browser: Browser, service: Tenantry) -> Iterator[Console]:
    """A visitor's browser with nothing in it. At the end, nothing may have gone wrong in it."""
    view: View = request.param
    made = Console(browser, view, service.url, service.operator)
    try:
        yield made
        made.quiet()
    finally:
        made.close()


@pytest.fixture
def analyst(console: Console) -> Console:
    """Somebody who may read Globex's log, and nothing else."""
    console.sign_in(console.token("globex", "events:read", name=unique("analyst")))
    return console
