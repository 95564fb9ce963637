"""What an analyst and a security team do every day: search, make a mistake, open an event, rotate a key."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from tests.browser.console import Console
from tests.daemon import PATIENCE

SOON = {"publish_ahead": "PT1.001S", "jwks_max_age": "PT1S", "clock_skew": "PT0S"}
"""A policy under which a standby may sign after a second."""


def signing(console: Console, tenant: str) -> str:
    """The `kid` of the tenant's active key."""
    keys = console.api("GET", f"/v1/tenants/{tenant}/keys").json()["keys"]
    [kid] = [key["kid"] for key in keys if key["state"] == "active"]
    return str(kid)


def test_a_search_a_mistake_and_an_event(console: Console) -> None:
    console.sign_in(console.token("globex", "events:read", name=f"analyst {console.view} {time.monotonic_ns()}"))
    console.check()
    box = console.page.get_by_role("combobox")
    box.fill("login user.nam:x")
    console.page.keyboard.press("Enter")
    problem = console.page.get_by_role("alert")
    problem.get_by_text("did you mean").wait_for()
    assert "user.name" in problem.inner_text()
    assert box.input_value() == "login user.nam:x", "it can be mended where it is"
    console.check()

    console.go("/console/globex?since=foo&range=all", status=400)
    expect(console.page.get_by_label("From")).to_have_attribute("aria-invalid", "true")
    console.check()
    console.go(f"/console/globex?range=all&columns={','.join(f'idp.n{number}' for number in range(9))}", status=400)
    expect(console.page.get_by_role("group", name="Beside the time")).to_be_visible()
    console.check()
    console.page.get_by_role("link", name="The usual ones").click()
    expect(console.page.get_by_role("columnheader", name="User")).to_be_visible()

    box.fill("event.action:login_error")
    console.page.keyboard.press("Enter")
    console.page.wait_for_url("**q=event.action*")
    found = console.api("GET", "/v1/tenants/globex/events/counts", params={"q": "event.action:login_error"}).json()["total"]
    assert f"{found:,}" in console.page.locator("main").inner_text()
    rows = console.page.get_by_role("table").locator("tbody tr")
    assert rows.count() == min(found, 50)
    assert all("login_error" in text for text in rows.all_inner_texts())
    console.check()

    rows.first.get_by_role("link").first.click()
    console.page.wait_for_url("**/events/**")
    assert "login_error" in console.page.locator("main").inner_text()
    console.check()


def test_slash_goes_to_the_search_box(console: Console) -> None:
    console.sign_in(console.operator)
    console.go("/console/globex")
    console.page.keyboard.press("/")
    assert console.page.get_by_role("combobox").evaluate("box => box === document.activeElement")
    assert console.page.get_by_role("combobox").input_value() == ""


def test_a_due_key_is_rotated_by_a_button(console: Console) -> None:
    tenant = console.create(f"rotating-{console.view}")
    before = signing(console, tenant)
    console.sign_in(console.operator)
    console.go(f"/console/{tenant}/keys")
    console.check()
    assert console.api("PUT", f"/v1/tenants/{tenant}/keys/policy", json=SOON).status_code == 200
    deadline = time.monotonic() + PATIENCE
    while not (button := console.page.get_by_role("button", name="Rotate now")).count():  # within a second
        assert time.monotonic() < deadline
        console.page.reload()
    button.click()
    console.page.get_by_role("status").filter(has_text="Done").wait_for()
    after = signing(console, tenant)
    assert after != before
    assert after in console.page.get_by_role("status").inner_text()
    console.check()
    published = console.api("GET", f"/t/{tenant}/jwks.json").json()["keys"]
    assert {before, after} <= {key["kid"] for key in published}
