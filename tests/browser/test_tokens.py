"""Access tokens in a browser: made, shown once, used, revoked."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.console import Console


def test_a_token_from_its_making_to_its_end(console: Console) -> None:
    tenant = console.create(f"tokens-{console.view}")
    console.sign_in(console.token(tenant, "keys:read", "tenant:admin"))
    console.go(f"/console/{tenant}/tokens")
    console.check()
    console.page.get_by_label("Name").fill("<b>night</b> watch")
    console.page.get_by_label("keys:read").check()
    console.page.get_by_label("Lives for").select_option("30")
    console.page.get_by_role("button", name="Make the token").click()

    secret = console.page.locator("#secret").inner_text()
    assert re.fullmatch(r"tnt_[0-9a-f]{16}_[\w-]{43}", secret)
    console.check()
    assert console.api("GET", f"/v1/tenants/{tenant}/keys", token=secret).status_code == 200
    console.page.get_by_role("link", name="I have it").click()
    assert secret.split("_", 2)[2] not in console.page.content()
    card = console.page.locator(".tokens li", has_text="<b>night</b> watch")
    expect(card).to_be_visible()
    card.get_by_text("Revoke…").click()
    expect(card.get_by_text("Whoever holds it is refused from then on")).to_be_visible()
    console.check()
    card.get_by_role("button", name="Revoke it").click()
    expect(console.page.get_by_role("status").first).to_contain_text("Revoked: <b>night</b> watch")
    assert console.api("GET", f"/v1/tenants/{tenant}/keys", token=secret).status_code == 401


def test_a_secret_does_not_come_back_with_the_browsers_button(console: Console) -> None:
    tenant = console.create(f"once-{console.view}")
    console.sign_in(console.token(tenant, "keys:read", "tenant:admin"))
    console.go(f"/console/{tenant}/tokens")
    console.page.get_by_label("Name").fill("once")
    console.page.get_by_label("keys:read").check()
    console.page.get_by_role("button", name="Make the token").click()
    secret = console.page.locator("#secret").inner_text()
    console.page.get_by_role("link", name="I have it").click()
    console.page.go_back()
    assert secret not in console.page.content()
