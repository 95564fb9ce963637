"""The console's page of keys in front of a running platform: readiness, the JWKS as it is served, history, and letting a key sign."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from dashboards.console.key_history import HISTORY_QUERY
from tests.platforms import Site, site
from tests.servers.process import free_port
from tests.services.console_browser import Browser, browser, operator_token

KEYS = "/v1/tenants/acme/keys"
FAST = {"publish_ahead": "PT1.001S", "jwks_max_age": "PT1S", "clock_skew": "PT0S"}


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex")
    return here


async def ring(here: Site) -> dict[str, Any]:
    """The keys by their states."""
    return {key["state"]: key for key in (await here.operator.get(KEYS)).json()["keys"]}


async def register(here: Site, name: str, **settings: Any) -> None:
    answer = await here.operator.put(f"/v1/tenants/acme/relying-parties/{name}", json={"name": name.title(), **settings})
    assert answer.status_code == 201, answer.text


def activation(kid: str, tenant: str = "acme") -> str:
    return f"/console/{tenant}/keys/activate?kid={kid}"


async def test_the_page_shows_the_ring_over_time_and_who_is_ready(here: Site) -> None:
    await register(here, "shop", library="spring", own_url=True, contact="shop@example.com")
    reader = await browser(here, "acme", "keys:read")
    page = await reader.open("/console/acme/keys")
    assert 'class="timeline"' in page
    assert "0 of 1 surely has it" in page
    assert "not yet" in page
    assert (await here.client(None).get("/t/acme/rp/shop/jwks.json")).status_code == 200
    await here.platform.publication.settled()
    page = await reader.open("/console/acme/keys")
    assert "may have it" in page
    assert "Let it sign now" not in page  # this visitor may not


async def test_the_jwks_is_the_one_that_relying_parties_get(here: Site) -> None:
    reader = await browser(here, "acme", "keys:read")
    page = html.unescape(await reader.open("/console/acme/keys"))
    served = await here.client(None).get("/t/acme/jwks.json")
    assert f"<bdi>{served.headers['etag']}</bdi>" in page
    assert served.headers["cache-control"] in page
    assert f"{len(served.content):,} bytes" in page
    for key in served.json()["keys"]:
        assert f'"kid": "{key["kid"]}"' in page
    assert "http://127.0.0.1:8080/t/acme/jwks.json" in page


async def test_history_says_who_did_what_and_comes_page_by_page(here: Site) -> None:
    for number in range(60):
        await register(here, f"p{number:02}")
    await here.settled()
    reader = await browser(here, "acme", "keys:read")
    page = await reader.open("/console/acme/keys")
    assert page.count('class="quiet"><time') == 8
    assert "P59 (p59): rotations wait for it" in page
    assert "An operator (" in page
    told = []
    page = await reader.open("/console/acme/keys/history")
    while True:
        told += re.findall(r"P\d\d \((p\d\d)\)", page)
        if (older := re.search(r'rel="next" href="([^"]+)"', page)) is None:
            break
        page = await reader.open(html.unescape(older[1]))
    assert told == [f"p{number:02}" for number in reversed(range(60))]
    assert "Tenantry itself" in page
    refused = await reader.open("/console/acme/keys/history", after="x")
    assert (reader.page.status_code, "does not belong" in refused) == (400, True)


async def test_a_cursor_of_the_history_goes_on_in_no_search_whose_first_page_is_audited(here: Site) -> None:
    for number in range(60):
        await register(here, f"p{number:02}")
    await here.settled()
    reader = await browser(here, "acme", "keys:read")
    page = await reader.open("/console/acme/keys/history")
    older = re.search(r'rel="next" href="[^"]+after=([^"&]+)"', page)
    assert older is not None
    events, asked = "/v1/tenants/acme/events", {"q": HISTORY_QUERY, "sort": "newest", "limit": "50"}
    answer = await here.operator.get(events, params={**asked, "after": older[1]})
    assert (answer.status_code, answer.json()["type"].endswith("/invalid-cursor")) == (400, True)
    cursor = (await here.operator.get(events, params=asked)).json()["next"]
    assert (await here.operator.get(events, params={**asked, "after": cursor})).status_code == 200
    await reader.open("/console/acme/keys/history", after=cursor)
    assert reader.page.status_code == 400


async def test_names_of_tokens_are_told_to_those_who_may_list_them(here: Site) -> None:
    admin = await here.token("acme", "keys:rotate", "keys:read")
    assert (await admin.put(f"{KEYS}/policy", json={"rotation_period": "P30D"})).status_code == 200
    await here.settled()
    for scopes, told in ((("keys:read",), False), (("keys:read", "tenant:admin"), True)):
        page = await (await browser(here, "acme", *scopes)).open("/console/acme/keys/history")
        assert "sign for 30 days" in page
        assert ("keys:rotate-keys:read (token:" in page) is told


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_without_the_search_index_the_keys_are_shown_all_the_same(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as before:
        await before.create("acme")
    nowhere = {"index_url": f"opensearch://admin@127.0.0.1:{free_port()}/away?tls=false", "opensearch_password": "geheim"}
    async with site(tmp_path / "data", process=False, **nowhere) as here:
        reader = await browser(here, "acme", "keys:read")
        page = await reader.open("/console/acme/keys")
        assert reader.page.status_code == 200
        assert "The search index does not answer just now" in page
        assert 'class="timeline"' in page
        page = await reader.open("/console/acme/keys/history")
        assert (reader.page.status_code, "The keys themselves are not affected" in page) == (503, True)


async def test_a_key_that_is_too_early_signs_only_with_a_reason(here: Site) -> None:
    await register(here, "old", cached_for="P300D", contact="old@example.com")
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    standby = (await ring(here))["pre-activation"]["kid"]
    page = await team.open(activation(standby))
    assert "these may refuse its tokens: Old (old@example.com)." in page
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects")}
    refused = await team.press(activation(standby), **form, reason="  ")
    assert (refused.status_code, "takes a reason" in refused.text) == (400, True)
    assert (await ring(here))["pre-activation"]["kid"] == standby
    page = (await team.press(activation(standby), **form, reason="<b>audit</b>")).text
    assert f"Done: key {standby} signs every new token now." in page
    assert team.page.url.path == "/console/acme/keys"
    assert (await ring(here))["active"]["kid"] == standby
    again = await team.press(activation(standby), **form, reason="audit")
    assert (again.status_code, "nothing was done" in again.text) == (409, True)
    await here.settled()
    page = await team.open("/console/acme/keys/history")
    assert "Before it was due: &lt;b&gt;audit&lt;/b&gt;." in page


async def test_a_key_that_all_have_signs_at_once(here: Site) -> None:
    assert (await here.operator.put(f"{KEYS}/policy", json=FAST)).status_code == 200
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    standby = (await ring(here))["pre-activation"]["kid"]
    while "before it is safe" in await team.open(activation(standby)):  # for a second
        pass
    await team.press(activation(standby), csrf=team.hidden("csrf"), expects=team.hidden("expects"))
    found = (await ring(here))["active"]
    assert found["kid"] == standby
    await here.settled()
    assert "Before it was due" not in await team.open("/console/acme/keys/history")


async def test_a_promise_that_fits_no_more_does_nothing(here: Site) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    standby = (await ring(here))["pre-activation"]["kid"]
    await team.open(activation(standby))
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects")}
    await register(here, "late", cached_for="P30D")
    answer = await team.press(activation(standby), **form, reason="audit")
    assert (answer.status_code, "nothing was done" in answer.text) == (409, True)
    assert 'value="audit"' in answer.text
    assert (await ring(here))["pre-activation"]["kid"] == standby


async def test_under_dual_control_it_is_asked_for_and_done_by_a_second_person(here: Site) -> None:
    assert (await here.operator.put(f"{KEYS}/policy", json={"dual_control": ["force"]})).status_code == 200
    ada = await browser(here, "acme", "keys:read", "keys:rotate")
    standby = (await ring(here))["pre-activation"]["kid"]
    page = await ada.open(activation(standby))
    assert "Ask a second person" in page
    page = (await ada.press(activation(standby), csrf=ada.hidden("csrf"), expects=ada.hidden("expects"), reason="audit")).text
    assert "Asked for: the policy wants a second person" in page
    assert "Waiting for a second person" in page
    assert (await ring(here))["pre-activation"]["kid"] == standby
    grace = await browser(here, "acme", "keys:rotate", "keys:read")
    approve = re.search(r'action="([^"]+/approve)"', await grace.open("/console/acme/keys"))
    assert approve is not None
    await grace.press(approve[1], csrf=grace.hidden("csrf"))
    assert (await ring(here))["active"]["kid"] == standby


async def test_nobody_lets_a_key_sign_who_may_not(here: Site) -> None:
    standby = (await ring(here))["pre-activation"]["kid"]
    reader = await browser(here, "acme", "keys:read")
    page = await reader.open(activation(standby))
    assert "keys:rotate" in page
    csrf = reader.hidden("csrf")
    assert (await reader.press(activation(standby), csrf=csrf, reason="x")).status_code == 403
    other = await browser(here, "globex", "keys:read", "keys:rotate")
    for path in ("/console/acme/keys/history", activation(standby)):
        await other.open(path)
        assert other.page.status_code == 404
    await other.open("/console/globex/keys")
    assert (await other.press(activation(standby), csrf=other.hidden("csrf"), reason="x")).status_code == 404
    assert (await other.press(activation(standby, "globex"), csrf=other.hidden("csrf"), reason="x")).status_code == 404
    analyst = await browser(here, "acme", "events:read")
    for path in ("/console/acme/keys/history", activation(standby)):
        await analyst.open(path)
        assert analyst.page.status_code == 403
    assert (await ring(here))["pre-activation"]["kid"] == standby


async def test_a_form_of_another_site_or_session_lets_nothing_sign(here: Site) -> None:
    standby = (await ring(here))["pre-activation"]["kid"]
    team, other = await browser(here, "acme", "keys:read", "keys:rotate"), Browser(here)
    await other.sign_in(operator_token(here))
    await team.open(activation(standby))
    form = {"expects": team.hidden("expects"), "reason": "x"}
    await other.open("/console/acme/keys")
    for csrf in ("", other.hidden("csrf")):
        assert (await team.press(activation(standby), **form, csrf=csrf)).status_code == 403
    await team.open(activation(standby))
    answer = await team.client.post(
        activation(standby), data={**form, "csrf": team.hidden("csrf")}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert (await ring(here))["pre-activation"]["kid"] == standby
