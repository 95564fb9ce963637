"""A tenant's administrator sets the brand, and everybody who comes to that tenant's pages sees it."""

from __future__ import annotations

import uuid

from playwright.sync_api import FilePayload, expect

from tests.browser.console import Console
from tests.services.pictures import png

LOGO = FilePayload(name="logo.png", mimeType="image/png", buffer=png(112, 56))


def test_a_brand_is_previewed_set_and_seen_before_anybody_signs_in(console: Console) -> None:
    page = console.page
    tenant = console.create(f"brand-{uuid.uuid4().hex[:8]}")
    other = console.create(f"plain-{uuid.uuid4().hex[:8]}")
    admin = console.token(tenant, "tenant:admin", "events:read", "keys:read")
    console.sign_in(admin)
    page.get_by_role("link", name="Brand", exact=True).click()
    console.check()
    page.get_by_label("Name").fill("Piper & Co")
    page.locator("#accent").fill("#b3308f")
    page.locator("#header").fill("#3b0f30")
    page.get_by_label("Logo").set_input_files(LOGO)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("not saved yet")).to_be_visible()
    console.check()
    page.get_by_label("Logo").set_input_files(LOGO)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved:")).to_be_visible()
    expect(page.locator("header .brand")).to_have_text("Piper & Co")
    logo = page.locator("header img.logo")
    expect(logo).to_be_visible()
    assert logo.evaluate("image => image.naturalWidth") == 112
    assert page.locator("header").evaluate("header => getComputedStyle(header).backgroundColor") == "rgb(59, 15, 48)"
    console.check()
    for path in (f"/console/{tenant}", f"/console/{tenant}/keys"):
        console.go(path)
        console.check()
    page.get_by_role("button", name="Sign out").click()
    console.go(f"/console/{tenant}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Piper & Co")
    console.check()
    console.go(f"/console/{other}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.locator("header img.logo")).to_have_count(0)


def test_a_colour_that_can_not_be_read_is_refused_with_what_it_measures(console: Console) -> None:
    page = console.page
    tenant = console.create(f"pale-{uuid.uuid4().hex[:8]}")
    console.sign_in(console.token(tenant, "tenant:admin", "events:read"))
    console.go(f"/console/{tenant}/brand")
    page.locator("#accent").fill("#ffcc00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("#ffcc00 has a contrast of 1.40:1")
    expect(page.locator("#accent")).to_have_value("#ffcc00")
    console.check()
