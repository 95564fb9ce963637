"""Relying parties in a browser: registered, checked, changed, removed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.console import Console


def test_a_relying_party_from_its_registration_to_its_end(console: Console) -> None:
    tenant = console.create(f"parties-{console.view}")
    console.sign_in(console.token(tenant, "keys:read", "tenant:admin"))
    console.go(f"/console/{tenant}/relying-parties")
    expect(console.page.get_by_role("heading", name="None is registered yet")).to_be_visible()
    console.check()

    form = console.page.locator("form.fields-form")
    form.get_by_label("Id").fill("shop")
    form.get_by_label("Name").fill("Shop <i>of things</i>")
    form.get_by_role("combobox", name="Library").select_option("go-oidc")
    form.get_by_label("Webhook").fill("https://shop.example/keys?token=s3cret")
    form.get_by_role("button", name="Register").click()
    expect(console.page.get_by_role("status").first).to_contain_text("Registered: rotations wait for Shop <i>of things</i>")
    expect(console.page.get_by_text("a planned rotation: goes unnoticed")).to_be_visible()
    assert "s3cret" not in console.page.content()
    console.check()

    console.page.get_by_text("What if it were set up otherwise?").click()
    check = console.page.locator("form[method=get]")
    check.get_by_role("combobox", name="Library").select_option("")
    check.get_by_role("textbox", name="Keeps a JWKS for").fill("20")
    check.get_by_role("combobox", name="Unit").select_option("days")
    check.get_by_role("combobox", name="Fetches when a token names").select_option("no")
    check.get_by_role("button", name="Check").click()
    expect(console.page.get_by_text("a planned rotation: breaks it")).to_be_visible()
    expect(console.page.get_by_text("It keeps a JWKS for 20 days").first).to_be_visible()
    console.check()

    change = console.page.locator("form[method=post]", has_text="Change")
    change.get_by_label("Contact").fill("shop@example.com")
    change.get_by_role("button", name="Change").click()
    expect(console.page.get_by_role("status").first).to_contain_text("Changed.")
    found = console.api("GET", f"/v1/tenants/{tenant}/relying-parties/shop").json()
    assert (found["contact"], found["webhook"]) == ("shop@example.com", "https://shop.example/keys?token=s3cret")

    console.page.get_by_role("link", name="Relying parties").first.click()
    expect(console.page.get_by_role("link", name="Shop <i>of things</i>")).to_be_visible()
    console.check()
    console.page.get_by_role("link", name="Shop <i>of things</i>").click()
    expect(console.page.get_by_text("No rotation waits for it any more")).to_be_visible()
    console.page.get_by_role("button", name="Remove").click()
    expect(console.page.get_by_role("status").first).to_contain_text("Removed: no rotation waits for Shop <i>of things</i> any more.")
    assert console.api("GET", f"/v1/tenants/{tenant}/relying-parties/shop").status_code == 404


def test_a_mistake_is_said_and_what_was_typed_is_kept(console: Console) -> None:
    tenant = console.create(f"mistaken-{console.view}")
    console.sign_in(console.token(tenant, "keys:read", "tenant:admin"))
    console.go(f"/console/{tenant}/relying-parties")
    form = console.page.locator("form.fields-form")
    form.get_by_label("Id").fill("No Label")
    form.get_by_label("Name").fill("Shop")
    form.get_by_role("button", name="Register").click()
    expect(console.page.get_by_role("alert")).to_contain_text("DNS label")
    expect(form.get_by_label("Id")).to_be_focused()
    expect(form.get_by_label("Name")).to_have_value("Shop")
    console.check()
