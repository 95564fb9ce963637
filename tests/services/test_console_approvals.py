"""What waits for a second person, in the console: who sees it, who may press the button, and what it does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms import Site
from tests.services.console_browser import Browser, operator_token

KEYS = "/v1/tenants/acme/keys"
SCOPES = ("keys:read", "keys:rotate", "keys:revoke")


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    answer = await here.operator.put(f"{KEYS}/policy", json={"dual_control": ["compromise", "force"]})
    assert answer.status_code == 200, answer.text
    return here


async def token(site: Site, name: str, *scopes: str) -> str:
    body = {"name": name, "scopes": list(scopes or SCOPES)}
    return str((await site.operator.post("/v1/tenants/acme/tokens", json=body)).json()["token"])


async def person(site: Site, name: str, *scopes: str) -> Browser:
    found = Browser(site)
    await found.sign_in(await token(site, name, *scopes), next="/console/acme/keys")
    assert found.page.status_code == 200
    return found


async def asked(site: Site, by: str, reason: str = "found in a public repository") -> dict[str, Any]:
    """Somebody with this token reports the active key."""
    active = await signing(site)
    answer = await site.client(by).post(f"{KEYS}/{active}/compromise", json={"reason": reason})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def signing(site: Site) -> str:
    kid: str = (await site.client(None).get("/t/acme/jwks.json")).json()["keys"][0]["kid"]
    return kid


def path(approval: dict[str, Any], what: str = "approve") -> str:
    return f"/console/acme/keys/approvals/{approval['id']}/{what}"


async def test_a_second_person_sees_what_waits_and_approves_it(here: Site) -> None:
    approval = await asked(here, await token(here, "ada"), "<b>on a\u202e laptop</b>")
    grace = await person(here, "grace")
    assert "Waiting for a second person" in grace.page.text
    assert f"{approval['asked_by']} asked for this" in grace.page.text
    assert "&lt;b&gt;on a<i>RLO</i> laptop&lt;/b&gt;" in grace.page.text
    assert f'action="{path(approval)}"' in grace.page.text
    assert "compromise, force; approved within 1 hour" in grace.page.text
    page = (await grace.press(path(approval), csrf=grace.hidden("csrf"))).text
    assert f"Approved: key {approval['kid']} has left the JWKS. Key {await signing(here)} signs." in page
    assert "Waiting for a second person" not in page
    assert await signing(here) != approval["kid"]
    again = await grace.press(path(approval), csrf=grace.hidden("csrf"))
    assert again.status_code == 409
    assert "was given by token:" in again.text


async def test_who_asked_has_no_button_and_no_way_around_it(here: Site) -> None:
    own = await token(here, "ada")
    approval = await asked(here, own)
    for who, key in (("ada", own), ("the operator who minted it", operator_token(here))):
        ada = Browser(here)
        await ada.sign_in(key, next="/console/acme/keys")
        assert "somebody else has to approve" in ada.page.text, who
        assert path(approval) not in ada.page.text
        refused = await ada.press(path(approval), csrf=ada.hidden("csrf"))
        assert (refused.status_code, "somebody else has to approve" in refused.text) == (403, True)
    assert await signing(here) == approval["kid"]


async def test_whoever_asked_withdraws_it(here: Site) -> None:
    own = await token(here, "ada")
    approval = await asked(here, own)
    ada = Browser(here)
    await ada.sign_in(own, next="/console/acme/keys")
    page = (await ada.press(path(approval, "withdraw"), csrf=ada.hidden("csrf"))).text
    assert "Withdrawn: nobody can approve it any more" in page
    grace = await person(here, "grace")
    assert path(approval) not in grace.page.text
    assert (await grace.press(path(approval), csrf=grace.hidden("csrf"))).status_code == 409


async def test_a_missing_scope_is_named_and_refused(here: Site) -> None:
    approval = await asked(here, await token(here, "ada"))
    for name, scopes in (("rotator", ("keys:read", "keys:rotate")), ("reader", ("keys:read",))):
        found = await person(here, name, *scopes)
        assert "Approving it takes a token with the scope keys:revoke." in found.page.text
        csrf = found.hidden("csrf")
        for what in ("approve", "withdraw"):
            assert path(approval, what) not in found.page.text
            assert (await found.press(path(approval, what), csrf=csrf)).status_code == 403
    assert await signing(here) == approval["kid"]


async def test_a_form_of_another_site_or_session_approves_nothing(here: Site) -> None:
    approval = await asked(here, await token(here, "ada"))
    grace, linus = await person(here, "grace"), await person(here, "linus")
    for csrf in ("", linus.hidden("csrf")):
        assert (await grace.press(path(approval), csrf=csrf)).status_code == 403
    await grace.open("/console/acme/keys")
    csrf = grace.hidden("csrf")
    answer = await grace.client.post(path(approval), data={"csrf": csrf}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    await here.create("globex")
    elsewhere = path(approval).replace("acme", "globex")
    assert (await grace.press(elsewhere, csrf=csrf)).status_code == 404
    assert await signing(here) == approval["kid"]


async def test_a_change_of_the_policy_says_what_it_changes(here: Site) -> None:
    answer = await here.client(await token(here, "ada")).put(f"{KEYS}/policy", json={"dual_control": ["force"], "rotation_period": "P30D"})
    assert answer.status_code == 202
    grace = await person(here, "grace")
    assert "It changes rotation_period from 90 days to 30 days; dual_control from compromise, force to force." in grace.page.text
    page = (await grace.press(path(answer.json()), csrf=grace.hidden("csrf"))).text
    assert "Approved: the policy has changed." in page
    assert "force; approved within 1 hour" in page


async def test_forcing_says_whom_it_may_break_before_and_after(here: Site) -> None:
    answer = await here.client(await token(here, "ada")).post(f"{KEYS}/rotate", json={"activate": True, "reason": "vendor asked"})
    assert answer.status_code == 202
    grace = await person(here, "grace")
    assert "refuse the new tokens until their cache expires" in grace.page.text
    page = (await grace.press(path(answer.json()), csrf=grace.hidden("csrf"))).text
    assert "signs every new token now." in page
    assert "refuse the new tokens until their cache expires" in page
