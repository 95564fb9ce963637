"""The live tail in a browser: events arrive, wait and go on, in a bounded table, over a service that starts again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Route, expect

from tests.browser.console import BAD_GATEWAY, Console
from tests.browser.log_page import ALL, rows

RUNNING: Final = "Live: what arrives appears on top"
NAME: Final = "<img src=x onerror=window.ran=1>\x1b[31m\u202e"


def sign_ins(*names: str) -> Iterator[dict[str, Any]]:
    """Sign-ins of these people, as Okta tells of them, one second after another."""
    for number, name in enumerate(names):
        published = f"2026-11-20T10:{number // 60:02}:{number % 60:02}.000Z"
        yield {"uuid": f"{name} {number}"[-100:], "published": published, "eventType": "user.session.start", "actor": {"alternateId": name}}


@pytest.fixture
def watcher(console: Console) -> tuple[Console, str]:
    """Somebody who watches the log of a tenant of their own, live, for people whose names begin with `watched`; and the tenant."""
    tenant = console.create(f"watched-{console.view}-{time.monotonic_ns()}")
    console.sign_in(console.token(tenant, "events:read", name="watcher"))
    console.go(f"/console/{tenant}?range=all&q=user.name:watched*&columns=user.name")
    expect(console.page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    console.page.get_by_role("button", name="Live tail").click()
    expect(console.page.locator("[data-live-status]")).to_have_text(RUNNING)
    return console, tenant


def test_events_arrive_wait_and_go_on(watcher: tuple[Console, str]) -> None:
    console, tenant = watcher
    status = console.page.locator("[data-live-status]")
    expect(console.page.get_by_role("button", name="Pause")).to_be_focused()
    console.send(tenant, sign_ins(f"watched first {NAME}", "somebody else"), source="okta")
    first = rows(console).first
    expect(first).to_contain_text("first <img src=x")
    expect(first.locator("bdi i")).to_have_text(["ESC", "RLO"])
    expect(console.page.get_by_role("heading", name="Nothing matches")).to_be_hidden()
    console.check()

    console.page.get_by_role("button", name="Pause").click()
    console.send(tenant, sign_ins("watched second", "watched third"), source="okta")
    expect(status).to_have_text("Paused; 2 new events wait")
    assert rows(console).count() == 1
    console.check()
    console.page.get_by_role("button", name="Resume").click()
    expect(rows(console)).to_have_count(3)
    assert [text.split("watched ")[1].split()[0] for text in rows(console).all_inner_texts()] == ["third", "second", "first"]
    assert console.page.evaluate("window.ran") is None

    console.page.get_by_role("button", name="Stop").click()
    console.send(tenant, sign_ins("watched fourth"), source="okta")
    console.page.get_by_role("button", name="Go on live").click()
    expect(rows(console).first).to_contain_text("watched fourth")
    expect(rows(console)).to_have_count(4)
    rows(console).first.get_by_role("link").click()
    console.page.wait_for_url("**/events/**")
    assert "watched fourth" in console.page.locator("main").inner_text()


def test_a_live_tail_holds_a_bounded_table(watcher: tuple[Console, str]) -> None:
    console, tenant = watcher
    console.send(tenant, sign_ins(*(f"watched {number}" for number in range(250))), source="okta")
    expect(console.page.locator("[data-live-count]")).to_have_text("250 new")
    expect(console.page.locator(".arrived")).to_have_count(200)
    expect(console.page.locator(".gap")).to_contain_text("50 more have arrived in between")
    console.check()


def test_a_live_tail_outlives_a_service_that_starts_again(console: Console) -> None:
    tenant = console.create(f"outlived-{console.view}-{time.monotonic_ns()}")
    console.sign_in(console.token(tenant, "events:read", name="watcher"))
    console.go(f"/console/{tenant}?range=all&columns=user.name")
    refused = 0

    def proxy(route: Route) -> None:
        nonlocal refused
        if refused < 3:
            refused += 1
            route.fulfill(status=BAD_GATEWAY, body="the service is not there")
        else:
            route.continue_()

    console.page.route("**/log/tail?*", proxy)
    status = console.page.locator("[data-live-status]")
    console.page.get_by_role("button", name="Live tail").click()
    expect(status).to_have_text("The connection broke; connecting again. Nothing is lost.")
    console.check()
    console.send(tenant, sign_ins("meanwhile"), source="okta")
    expect(status).to_have_text(RUNNING)
    expect(rows(console).first).to_contain_text("meanwhile")
    assert refused == 3


def test_a_live_tail_ends_with_its_session(analyst: Console) -> None:
    analyst.go(ALL)
    analyst.page.get_by_role("button", name="Live tail").click()
    expect(analyst.page.locator("[data-live-status]")).to_have_text(RUNNING)
    other = analyst.context.new_page()
    other.goto(f"{analyst.url}/console/globex")
    other.get_by_role("button", name="Sign out").click()
    expect(analyst.page.locator("[data-live-status]")).to_contain_text("Your session has ended")
    analyst.check()
    analyst.page.get_by_role("link", name="Sign in again").click()
    expect(analyst.page.get_by_label("Token")).to_be_visible()
