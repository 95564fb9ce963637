"""Relying parties in the console: who may register, change and remove them, and what a webhook's address is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from streams.control_log import ControlEvent, Decide
from tests.dashboards.hostile import HOSTILE, is_text
from tests.platforms import Site
from tests.services.console_browser import Browser, browser

PARTIES = "/console/acme/relying-parties"
API = "/v1/tenants/acme/relying-parties"
ADMIN = ("keys:read", "tenant:admin")
SHOP = {
    "id": "shop",
    "name": "Shop",
    "contact": "shop@example.com",
    "library": "spring",
    "own_url": "on",
    "webhook": "https://shop.example/keys?token=s3cret",
    "webhook_choice": "set",
}


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex")
    return here


async def admin(site: Site) -> Browser:
    found = await browser(site, "acme", *ADMIN)
    await found.open(PARTIES)
    return found


async def known(site: Site, name: str = "shop") -> dict[str, Any]:
    found: dict[str, Any] = (await site.operator.get(f"{API}/{name}")).json()
    return found


async def registered(site: Site) -> Browser:
    """The admin, on the page of the shop that was registered."""
    found = await admin(site)
    await found.press(PARTIES, csrf=found.hidden("csrf"), **SHOP)
    assert found.page.url.path == f"{PARTIES}/shop"
    return found


async def test_registering_is_what_the_api_does_and_is_in_the_log(here: Site) -> None:
    page = (await registered(here)).page.text
    assert "Registered: rotations wait for Shop from now on" in page
    found = await known(here)
    assert {name: found[name] for name in ("name", "contact", "library", "own_url", "webhook", "cached_for")} == {
        "name": "Shop",
        "contact": "shop@example.com",
        "library": "spring",
        "own_url": True,
        "webhook": SHOP["webhook"],
        "cached_for": None,
    }
    assert f'href="{found["jwks_uri"]}"' in page
    await here.settled()
    told = await here.operator.get("/v1/tenants/acme/events", params={"q": "event.action:relying_party_registered"})
    assert told.json()["events"][0]["user.id"].startswith("token:")


async def test_a_webhooks_secret_is_never_shown_again_and_kept(here: Site) -> None:
    team = await registered(here)
    assert "https://shop.example" in team.page.text
    assert "s3cret" not in team.page.text
    assert "s3cret" not in await team.open(PARTIES)
    page = await team.open(f"{PARTIES}/shop")
    assert "s3cret" not in page
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), **SHOP, "webhook": ""}
    await team.press(f"{PARTIES}/shop", **{**form, "webhook_choice": "keep", "name": "Web shop"})
    assert "Changed." in team.page.text
    assert ((await known(here))["name"], (await known(here))["webhook"]) == ("Web shop", SHOP["webhook"])
    form |= {"expects": team.hidden("expects"), "webhook_choice": "none"}
    await team.press(f"{PARTIES}/shop", **form)
    assert (await known(here))["webhook"] is None


async def test_what_is_wrong_is_said_and_what_was_typed_is_kept(here: Site) -> None:
    team = await admin(here)
    csrf = team.hidden("csrf")
    for wrong, said in (
        ({"id": "No Label"}, "DNS label"),
        ({"name": ""}, "name: "),
        ({"library": "mine"}, "library: there is no"),
        ({"number": "many", "unit": "hours"}, "cached_for: must be a number of days, hours, minutes, seconds"),
        ({"number": "1", "unit": "fortnights"}, "cached_for: must be"),
        ({"number": "99999", "unit": "days"}, "cached_for: "),
        ({"webhook": "ftp://shop.example"}, "webhook: must be an https URL"),
        ({"webhook": "https://user:pass@shop.example"}, "webhook: must not have a user"),
    ):
        answer = await team.press(PARTIES, csrf=csrf, **{**SHOP, **wrong})
        assert answer.status_code == 400, wrong
        assert said in answer.text, answer.text
        assert 'value="shop@example.com"' in answer.text
    assert (await here.operator.get(API)).json() == {"relying_parties": []}


async def test_registering_does_not_overwrite(here: Site) -> None:
    team = await registered(here)
    await team.open(PARTIES)
    answer = await team.press(PARTIES, csrf=team.hidden("csrf"), **{**SHOP, "name": "Another"})
    assert (answer.status_code, "already" in answer.text) == (409, True)
    assert (await known(here))["name"] == "Shop"


async def test_a_change_of_what_one_has_not_seen_does_nothing(here: Site) -> None:
    team = await registered(here)
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), **SHOP, "webhook_choice": "keep"}
    await here.operator.put(f"{API}/shop", json={"name": "Shop", "contact": "new@example.com"})
    for path in (f"{PARTIES}/shop", f"{PARTIES}/shop/remove"):
        answer = await team.press(path, **form)
        assert (answer.status_code, "nothing was done" in answer.text) == (409, True)
    assert (await known(here))["contact"] == "new@example.com"


def meanwhile(here: Site, monkeypatch: pytest.MonkeyPatch, method: str, body: dict[str, str] | None) -> list[httpx.Response]:
    """Has another node do this to the shop once ours has judged the next change by the ring that it has, just before it commits."""
    real, done = here.platform.control.commit, list[httpx.Response]()

    async def commit(key: str, decide: Decide) -> Sequence[ControlEvent]:
        monkeypatch.setattr(here.platform.control, "commit", real)
        done.append(await here.operator.request(method, f"{API}/shop", json=body))
        return await real(key, decide)

    monkeypatch.setattr(here.platform.control, "commit", commit)
    return done


async def test_a_webhook_that_another_node_replaces_meanwhile_does_not_come_back(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    team = await registered(here)
    for number, path in enumerate((f"{PARTIES}/shop", f"{PARTIES}/shop/remove")):
        form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), **SHOP, "webhook_choice": "keep"}
        new = f"https://shop.example/new{number}"
        done = meanwhile(here, monkeypatch, "PUT", {"name": "Shop", "webhook": new})
        answer = await team.press(path, **form)
        assert [one.status_code for one in done] == [200]
        assert (answer.status_code, "nothing was done" in answer.text) == (409, True), path
        assert (await known(here))["webhook"] == new


async def test_what_another_node_removes_or_registers_meanwhile_stays_so(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    team = await registered(here)
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), **SHOP, "webhook_choice": "keep"}
    meanwhile(here, monkeypatch, "DELETE", None)
    assert (await team.press(f"{PARTIES}/shop", **form)).status_code == 404
    assert (await here.operator.get(f"{API}/shop")).status_code == 404
    done = meanwhile(here, monkeypatch, "PUT", {"name": "Theirs"})
    answer = await team.press(PARTIES, **(form | {"webhook_choice": "set"}))
    assert [one.status_code for one in done] == [201]
    assert (answer.status_code, "already" in answer.text) == (409, True)
    assert (await known(here))["name"] == "Theirs"


async def test_removing_says_what_comes_of_it_and_does_it(here: Site) -> None:
    team = await registered(here)
    assert "answers 404 at once" in team.page.text
    page = (await team.press(f"{PARTIES}/shop/remove", csrf=team.hidden("csrf"), expects=team.hidden("expects"))).text
    assert "Removed: no rotation waits for Shop any more." in page
    assert (await here.operator.get(f"{API}/shop")).status_code == 404
    assert (await here.client(None).get("/t/acme/rp/shop/jwks.json")).status_code == 404
    await team.open(f"{PARTIES}/shop")
    assert team.page.status_code == 404


async def test_a_check_says_what_the_api_says_and_changes_nothing(here: Site) -> None:
    team = await registered(here)
    assert "a planned rotation: goes unnoticed" in team.page.text
    before = await known(here)
    page = await team.open(f"{PARTIES}/shop", library="", number="20", unit="days", refetches="no")
    assert "a planned rotation: breaks it" in page
    assert "keeps a JWKS for 20 days" in page
    answer = await here.operator.post(f"{API}/shop/check", json={"cached_for": "P20D", "refetches": False, "library": "spring"})
    assert answer.json()["survives_rotation"] is False
    page = await team.open(f"{PARTIES}/shop", library="", never="1")
    assert "has to be restarted" in page
    assert "say by which one it fetches the JWKS" in await team.open(f"{PARTIES}/shop", library="")
    assert "cooldown: must be" in await team.open(f"{PARTIES}/shop", library="jose", cooldown="soon")
    assert await known(here) == before


async def test_who_has_said_nothing_is_not_judged(here: Site) -> None:
    await here.operator.put(f"{API}/silent", json={"name": "Silent"})
    reader = await browser(here, "acme", "keys:read")
    assert "Nobody has said how it keeps a JWKS." in await reader.open(f"{PARTIES}/silent")


async def test_what_it_was_told_is_shown(here: Site) -> None:
    team = await registered(here)
    await here.operator.post("/v1/tenants/acme/keys/rotate", json={"activate": True, "reason": "a test"})
    page = await team.open(f"{PARTIES}/shop")
    assert "What it was told" in page
    assert "a key signs" in page


async def test_readers_read_and_set_nothing(here: Site) -> None:
    await registered(here)
    reader = await browser(here, "acme", "keys:read")
    page = await reader.open(f"{PARTIES}/shop")
    assert "tenant:admin" in page
    assert "https://shop.example" in page
    csrf = reader.hidden("csrf")
    for path in (PARTIES, f"{PARTIES}/shop", f"{PARTIES}/shop/remove"):
        assert (await reader.press(path, csrf=csrf, **SHOP)).status_code == 403
    analyst = await browser(here, "acme", "events:read", "tenant:admin")
    await analyst.open(PARTIES)
    assert analyst.page.status_code == 403
    assert (await known(here))["name"] == "Shop"


async def test_another_tenants_relying_parties_do_not_exist(here: Site) -> None:
    await registered(here)
    other = await browser(here, "globex", *ADMIN)
    csrf = other.hidden("csrf")
    for path in (PARTIES, f"{PARTIES}/shop"):
        await other.open(path)
        assert (other.page.status_code, "Shop" in other.page.text) == (404, False)
    await other.open("/console/globex/relying-parties/shop")
    assert other.page.status_code == 404
    for path in (PARTIES, f"{PARTIES}/shop", f"{PARTIES}/shop/remove"):
        assert (await other.press(path, csrf=csrf, **SHOP)).status_code == 404
    assert (await known(here))["name"] == "Shop"


async def test_a_form_of_another_site_or_session_sets_nothing(here: Site) -> None:
    team, other = await admin(here), await browser(here, "globex", *ADMIN)
    csrf = team.hidden("csrf")
    for wrong in ("", other.hidden("csrf")):
        assert (await team.press(PARTIES, csrf=wrong, **SHOP)).status_code == 403
    answer = await team.client.post(PARTIES, data={**SHOP, "csrf": csrf}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await here.operator.get(API)).json() == {"relying_parties": []}


async def test_hostile_names_are_text(here: Site) -> None:
    team = await admin(here)
    await team.press(PARTIES, csrf=team.hidden("csrf"), id="x", name=HOSTILE, contact=HOSTILE)
    assert team.page.status_code == 200
    assert (await known(here, "x"))["name"] == HOSTILE
    assert is_text(team.page.text)
    for path in (PARTIES, f"{PARTIES}/x", "/console/acme/keys"):
        assert is_text(await team.open(path))
    assert is_text(await team.open(PARTIES, find=HOSTILE))
