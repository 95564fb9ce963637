"""A key that has leaked: reported on its page, and where the policy says so approved by a second person."""

from __future__ import annotations

from tests.browser.console import Console
from tests.browser.test_core_flows import signing

TEAM = ("keys:read", "keys:rotate", "keys:revoke")
REASON = "Its private half was in a public repository"
PARTIES = {
    "shop": {"name": "Shop", "contact": "shop@example.com", "library": "spring"},
    "wiki": {"name": "Wiki", "library": "go-oidc"},
    "unknown": {"name": "A partner's gateway, of which nobody knows anything"},
}


def made(console: Console, name: str) -> str:
    """A tenant with relying parties of different kinds, whose key has signed for two clients."""
    tenant = console.create(f"{name}-{console.view}")
    for party, settings in PARTIES.items():
        answer = console.api("PUT", f"/v1/tenants/{tenant}/relying-parties/{party}", json=settings)
        assert answer.status_code in {200, 201}, answer.text
    for client in ("web-app", "mobile"):
        claims = {"sub": "user-1", "aud": client, "azp": client}
        answer = console.api("POST", f"/v1/tenants/{tenant}/tokens/sign", json={"claims": claims})
        assert answer.status_code in {200, 201}, answer.text
    return tenant


def published(console: Console, tenant: str) -> set[str]:
    return {key["kid"] for key in console.api("GET", f"/t/{tenant}/jwks.json").json()["keys"]}


def test_a_leaked_key_is_reported(console: Console) -> None:
    tenant = made(console, "leaked")
    kid = signing(console, tenant)
    console.sign_in(console.token(tenant, *TEAM, name="ada"))
    console.go(f"/console/{tenant}/keys")
    console.page.locator(f"a[href*='compromise?kid={kid}']").click()
    console.page.get_by_role("heading", name="Has this key leaked?").wait_for()
    for said in ("leaves the JWKS at once", "Shop", "Wiki", "web-app"):
        assert console.page.get_by_text(said).first.is_visible(), said
    console.check()
    console.page.get_by_label("Why").fill(REASON)
    console.page.get_by_role("button", name="Report").click()
    done = console.page.get_by_role("status").filter(has_text="has left the JWKS")
    done.wait_for()
    assert kid in done.inner_text()
    assert kid not in published(console, tenant)
    assert signing(console, tenant) in done.inner_text()
    assert console.page.get_by_role("button", name="Report").count() == 0
    console.check()
    console.go(f"/console/{tenant}/keys")
    assert console.page.get_by_text(REASON).first.is_visible()
    console.check()


def test_without_the_scope_it_says_which_one_is_missing(console: Console) -> None:
    tenant = made(console, "reading")
    console.sign_in(console.token(tenant, "keys:read"))
    console.go(f"/console/{tenant}/keys/compromise?kid={signing(console, tenant)}")
    assert console.page.get_by_text("keys:revoke").is_visible()
    assert console.page.get_by_role("button", name="Report").count() == 0
    console.check()


def test_a_second_person_approves_a_report(console: Console) -> None:
    tenant = made(console, "dual")
    kid = signing(console, tenant)
    assert console.api("PUT", f"/v1/tenants/{tenant}/keys/policy", json={"dual_control": ["compromise", "force"]}).status_code == 200
    console.sign_in(console.token(tenant, *TEAM, name="ada"))
    console.go(f"/console/{tenant}/keys/compromise?kid={kid}")
    assert console.page.get_by_text("a second person's approval").first.is_visible()
    console.check()
    console.page.get_by_label("Why").fill(REASON)
    console.page.get_by_role("button", name="Report").click()
    console.page.get_by_role("status").filter(has_text="Asked for").wait_for()
    assert kid in published(console, tenant)
    console.check()
    console.go(f"/console/{tenant}/keys")
    assert console.page.get_by_text("somebody else has to approve").is_visible()
    assert console.page.get_by_role("button", name="Approve").count() == 0
    console.check()

    grace = console.another()
    grace.sign_in(console.token(tenant, *TEAM, name="grace"))
    grace.go(f"/console/{tenant}/keys")
    assert grace.page.get_by_text(REASON).first.is_visible()
    grace.check()
    grace.page.get_by_role("button", name="Approve").click()
    grace.page.get_by_role("status").filter(has_text="Approved").wait_for()
    assert kid not in published(console, tenant)
    assert grace.page.get_by_text("Waiting for a second person").count() == 0
    grace.check()


def test_whoever_asked_withdraws_it(console: Console) -> None:
    tenant = made(console, "withdrawn")
    kid = signing(console, tenant)
    assert console.api("PUT", f"/v1/tenants/{tenant}/keys/policy", json={"dual_control": ["compromise"]}).status_code == 200
    own = console.token(tenant, *TEAM, name="ada")
    asked = console.api("POST", f"/v1/tenants/{tenant}/keys/{kid}/compromise", json={"reason": REASON}, token=own)
    assert asked.status_code == 202, asked.text
    console.sign_in(own)
    console.go(f"/console/{tenant}/keys")
    console.page.get_by_role("button", name="Withdraw").click()
    console.page.get_by_role("status").filter(has_text="Withdrawn").wait_for()
    assert console.page.get_by_text("Waiting for a second person").count() == 0
    assert kid in published(console, tenant)
    console.check()
