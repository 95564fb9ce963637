"""Keys in a browser: the picture, what a button says first, and what it does."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.console import Console

HALO = 6


def prepared(console: Console, name: str, **policy: object) -> str:
    """A tenant of this test and view, in front of somebody of its security team; its id."""
    tenant = console.create(f"{name}-{console.view}")
    if policy:
        assert console.api("PUT", f"/v1/tenants/{tenant}/keys/policy", json=policy).status_code == 200
    console.sign_in(console.token(tenant, "keys:read", "keys:rotate", "keys:revoke"))
    console.go(f"/console/{tenant}/keys")
    return tenant


def state(console: Console, tenant: str, wanted: str) -> str:
    """The `kid` of the key in this state."""
    return next(str(key["kid"]) for key in console.api("GET", f"/v1/tenants/{tenant}/keys").json()["keys"] if key["state"] == wanted)


def test_the_ring_is_a_picture_with_its_text_beside_it(console: Console) -> None:
    prepared(console, "pictured")
    picture = console.page.get_by_role("img", name="Over time")
    expect(picture).to_be_visible()
    # Readable on a phone: the text keeps its size, and stays within the picture, but for the halo around it.
    box = picture.bounding_box()
    assert box is not None
    for text in picture.locator("text").all():
        found = text.bounding_box()
        assert found is not None
        assert found["height"] >= 11
        assert box["x"] - HALO <= found["x"]
        assert found["x"] + found["width"] <= box["x"] + box["width"] + HALO
    console.page.get_by_text("The same as a list").click()
    expect(console.page.locator(".lives").get_by_text("signs from").first).to_be_visible()
    console.check()


def test_a_key_is_let_sign_after_saying_whom_that_breaks(console: Console) -> None:
    tenant = prepared(console, "hasty")
    party = {"name": "<b>Old</b> shop", "contact": "old@example.com", "cached_for": "P30D"}
    assert console.api("PUT", f"/v1/tenants/{tenant}/relying-parties/old", json=party).status_code == 201
    standby = state(console, tenant, "pre-activation")
    console.page.get_by_role("link", name="Let it sign now").click()
    expect(console.page.get_by_text("these may refuse its tokens: <b>Old</b> shop (old@example.com).")).to_be_visible()
    console.check()
    console.page.get_by_label("Why it can't wait").fill("an audit")
    console.page.get_by_role("button", name="Let it sign now, before it is safe").click()
    expect(console.page.get_by_role("status").first).to_contain_text(f"Done: key {standby} signs every new token now.")
    assert state(console, tenant, "active") == standby
    console.check()


def test_a_rotation_that_is_due_is_one_button(console: Console) -> None:
    tenant = prepared(console, "due", publish_ahead="PT1.001S", jwks_max_age="PT1S", clock_skew="PT0S")
    standby = state(console, tenant, "pre-activation")
    expect(console.page.get_by_text("safe to sign", exact=True).or_(console.page.get_by_text("not yet", exact=True))).to_be_visible()
    button = console.page.get_by_role("button", name="Rotate now")
    while not button.count():  # for a second
        console.page.reload()
    button.click()
    expect(console.page.get_by_role("status").first).to_contain_text(f"Done: key {standby} signs every new token now.")
    assert state(console, tenant, "active") == standby


def test_a_leaked_key_is_reported_and_the_history_tells_of_it(console: Console) -> None:
    tenant = prepared(console, "leaky")
    bad = state(console, tenant, "active")
    console.page.locator(".key.active").get_by_role("link", name="Has it leaked?").click()
    console.page.get_by_label("Why").fill("<script>alert(1)</script> on a laptop")
    console.page.get_by_role("button", name="Report the key as compromised").click()
    expect(console.page.get_by_role("status").first).to_contain_text(f"Done: key {bad} has left the JWKS.")
    assert bad not in str(console.api("GET", f"/t/{tenant}/jwks.json").json())
    console.check()
    console.settled()
    console.go(f"/console/{tenant}/keys/history")
    expect(console.page.get_by_text("Reason: <script>alert(1)</script> on a laptop").first).to_be_visible()
    console.check()
    console.go(f"/console/{tenant}/keys")
    expect(console.page.locator(".timeline .phase.compromised")).not_to_have_count(0)
    console.check()


def test_two_people_let_a_key_sign(console: Console) -> None:
    tenant = prepared(console, "guarded", dual_control=["force"])
    standby = state(console, tenant, "pre-activation")
    console.page.get_by_role("link", name="Let it sign now").click()
    console.page.get_by_label("Why it can't wait").fill("an audit")
    console.page.get_by_role("button", name="Ask a second person").click()
    expect(console.page.get_by_role("heading", name="Waiting for a second person")).to_be_visible()
    assert state(console, tenant, "pre-activation") == standby
    console.check()
    second = console.another()
    second.sign_in(console.token(tenant, "keys:rotate", "keys:read"))
    second.go(f"/console/{tenant}/keys")
    second.page.get_by_role("button", name="Approve: let it sign now").click()
    expect(second.page.get_by_role("status").first).to_contain_text(f"Approved: key {standby} signs")
    assert state(console, tenant, "active") == standby
