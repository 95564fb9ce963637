"""Hostile text shows as text on every page: no script runs, nothing is turned around or hidden, and a phone need not scroll sideways.

That nothing was blocked by the Content-Security-Policy is checked, too: it is the second wall, and nobody should have come to it.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import expect

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from tests.browser.console import NARROWEST, Console
from tests.browser.hostile import DIRECTIONS, HOSTILE, OBEYED, SCRIPTS, events
from tests.browser.test_core_flows import signing

NAME = f"{SCRIPTS[0]}{DIRECTIONS[0]}\x1b[31m" + "W" * 100
"""Within what a name may have: 200 characters, a token's 100."""


@pytest.fixture
def tenant(console: Console) -> str:
    """A tenant whose name and events are hostile, with a session that may see everything of it."""
    made = console.create(f"hostile-{console.view}", display_name=NAME[:200])
    console.send(made, events(), source="okta")
    console.sign_in(console.operator)
    return made


def harmless(console: Console) -> None:
    """The page has no fault, ran nothing of what it shows, and holds nothing that can't be seen."""
    assert console.page.evaluate("window.ran") is None
    assert not set(console.page.evaluate("document.documentElement.textContent")) & set(OBEYED)
    assert not set(console.page.title()) & set(OBEYED)
    assert console.page.locator("main").is_visible()
    assert console.page.locator("base, meta[http-equiv], plaintext, main img[src=x]").count() == 0
    console.fits()
    console.quiet()


def test_the_log_shows_hostile_events(console: Console, tenant: str) -> None:
    console.go(f"/console/{tenant}?range=all")
    rows = console.page.get_by_role("table").locator("tbody tr")
    assert rows.count() == len(HOSTILE)
    harmless(console)
    console.check()
    for text in SCRIPTS:
        expect(rows.filter(has_text=text[:40]).first).to_be_visible()
    assert console.page.get_by_text("RLO").first.is_visible(), "what turns the words around has a sign"
    boxes = rows.locator("td").evaluate_all("cells => cells.map(cell => [cell.scrollWidth, cell.clientWidth])")
    assert all(inner <= outer + 1 for inner, outer in boxes), "no cell runs into the next one"


@pytest.mark.parametrize("console", NARROWEST, indirect=True, ids=str)
def test_every_event_shows_what_it_says(console: Console, tenant: str) -> None:
    found = console.api("GET", f"/v1/tenants/{tenant}/events", params={"q": "event.provider:okta", "limit": 1000}).json()["events"]
    assert len(found) == len(HOSTILE)
    console.go(f"/console/{tenant}?range=all")
    rows = console.page.get_by_role("table").locator("tbody tr")
    for href in [link.get_attribute("href") for link in rows.get_by_role("link").all() if "/events/" in (link.get_attribute("href") or "")]:
        assert href is not None
        console.go(href)
        harmless(console)


@pytest.mark.parametrize("console", NARROWEST, indirect=True, ids=str)
@pytest.mark.parametrize("text", [SCRIPTS[0], SCRIPTS[3], DIRECTIONS[0], "W" * 3000], ids=["script", "attribute", "direction", "long"])
def test_a_hostile_search_shows_as_it_was_written(console: Console, tenant: str, text: str) -> None:
    console.go(f"/console/{tenant}?range=all")
    box = console.page.get_by_role("combobox")
    for query in (text, f'user.name:"{text}'):  # one that may be right, and one that can't
        box.fill(query)
        box.press("Enter")
        console.page.wait_for_url("**q=*")
        assert box.input_value() == query
        assert console.page.evaluate("window.ran") is None
        console.fits()
        console.quiet()


@pytest.mark.long
def test_top_values_lead_to_hostile_searches(console: Console, tenant: str) -> None:
    console.go(f"/console/{tenant}?range=all")
    narrower = console.page.get_by_role("complementary").get_by_role("link")
    for href in {link.get_attribute("href") for link in narrower.all()}:
        assert href is not None
        console.go(href)
        assert console.page.get_by_role("table").locator("tbody tr").count() >= 1, href
        harmless(console)


def test_names_and_reasons_show_as_text(console: Console, tenant: str) -> None:
    for party, text in (("scripts", SCRIPTS[1]), ("words", NAME[:100])):
        body = {"name": text, "contact": text, "library": "spring"}
        answer = console.api("PUT", f"/v1/tenants/{tenant}/relying-parties/{party}", json=body)
        assert answer.status_code in {200, 201}, answer.text
    imported = f"{SCRIPTS[1]}/../?#%00{'W' * 256}"[:256]
    jwk = PublicJwk.from_public_key(ec.generate_private_key(ec.SECP256R1()).public_key(), Algorithm.ES256, imported).to_dict()
    answer = console.api("POST", f"/v1/tenants/{tenant}/keys/import", json={"jwks": jwk, "publish_until": "now+1d"})
    assert answer.status_code == 200, answer.text
    console.go(f"/console/{tenant}/keys/compromise?{urlencode({'kid': imported})}")
    harmless(console)
    kid = signing(console, tenant)
    claims = {"sub": SCRIPTS[0], "aud": NAME[:100], "azp": NAME[:100]}
    assert console.api("POST", f"/v1/tenants/{tenant}/tokens/sign", json={"claims": claims}).status_code in {200, 201}
    console.go(f"/console/{tenant}/keys/compromise?kid={kid}")
    harmless(console)
    reason = (NAME + "W" * 500)[:500]
    assert console.api("POST", f"/v1/tenants/{tenant}/keys/{kid}/compromise", json={"reason": reason}).status_code == 200
    assert console.api("POST", f"/v1/tenants/{tenant}/tokens", json={"name": SCRIPTS[3], "scopes": ["events:read"]}).status_code == 201
    own = [f"/console/{tenant}/{page}" for page in ("keys", f"keys/compromise?kid={kid}", "keys/history", "relying-parties", "tokens")]
    for path in (*own, "/console", "/console?find=%3Cscript%3E", "/console/-/platform"):
        console.go(path)
        harmless(console)
        console.check()
    console.sign_in(console.token(tenant, "events:read", "keys:read", name=NAME[:90] + console.view.colours))
    harmless(console)
    console.go("/console/%3Cscript%3E/keys", 404)
    harmless(console)
