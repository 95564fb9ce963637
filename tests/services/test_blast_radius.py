"""Who is affected by a bad key, over HTTP and in the console: before the report and with it, whatever else is away."""

from __future__ import annotations

import asyncio
import html
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.usage import sums
from streams.scope import TenantScope
from tests.platforms import Site, site
from tests.servers.process import free_port
from tests.services.console_browser import Browser, browser

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    for party in ({"name": "Shop", "library": "istio", "contact": "shop@example.com"}, {"name": "Till"}):
        name = party["name"].lower()
        assert (await here.operator.put(f"/v1/tenants/acme/relying-parties/{name}", json=party)).status_code == 201
    return here


def kid_of(here: Site) -> str:
    active = here.platform.rings.of("acme").active
    assert active is not None
    return active.kid


async def sign(here: Site, **claims: Any) -> None:
    answer = await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": claims})
    assert answer.status_code == 200, answer.text


async def radius(here: Site, kid: str) -> dict[str, Any]:
    answer = await here.operator.get(f"/v1/tenants/acme/keys/{kid}/blast-radius")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def compromise(here: Site, kid: str) -> dict[str, Any]:
    answer = await here.operator.post(f"/v1/tenants/acme/keys/{kid}/compromise", json={"reason": "a laptop was stolen"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_is_said_before_the_report_is_what_it_answers(acme: Site) -> None:
    kid = kid_of(acme)
    for number in range(4):
        await sign(acme, client_id="web", sub=f"user {number % 2}")
    before = await radius(acme, kid)
    assert (before["state"], before["usage"]["signatures"], before["usage"]["subjects"]) == ("active", 4, 2)
    answer = await compromise(acme, kid)
    after = answer["blast_radius"]
    assert (answer["outcome"], after["state"]) == ("compromised", "compromised")
    assert after["left_jwks_at"] == answer["compromised_at"]
    assert after["usage"] == before["usage"]
    [shop, till] = after["relying_parties"]
    assert (shop["name"], shop["contact"], shop["accepts"], shop["refuses_for"]) == ("Shop", "shop@example.com", "until", "PT20M")
    assert after["latest_expiry"] > after["usage"]["last_expiry"]
    assert shop["accepts_until"] > after["takes_over_at"] > after["left_jwks_at"]
    assert (till["accepts"], till["accepts_until"], after["accepted_until"]) == ("unknown", None, None)
    assert "at least 4 tokens for about 2 subjects and 1 client" in after["summary"][0]
    assert (await compromise(acme, kid))["blast_radius"]["left_jwks_at"] == after["left_jwks_at"], "saying it twice changes nothing"


async def test_a_key_that_is_not_there_is_404(acme: Site) -> None:
    assert (await acme.operator.get("/v1/tenants/acme/keys/none/blast-radius")).status_code == 404


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_with_the_index_away_the_key_leaves_all_the_same_and_the_counts_are_said_to_be_unknown(tmp_path: Path) -> None:
    away = {"index_url": f"opensearch://admin@127.0.0.1:{free_port()}/away?tls=false", "opensearch_password": "geheim"}
    async with site(tmp_path / "data", process=False, **away) as here:
        assert (await here.operator.put("/v1/tenants/acme", json={"display_name": "Acme"})).status_code == 503
        await here.operator.put("/v1/tenants/acme/relying-parties/shop", json={"name": "Shop", "library": "jose"})
        await here.platform.custodian.settle(TenantScope("acme"))
        await sign(here, client_id="web")
        kid = kid_of(here)
        with capture_logs() as logged:
            answer = await compromise(here, kid)
        assert (answer["outcome"], answer["blast_radius"]["usage"]) == ("compromised", None)
        assert "is not known now" in answer["blast_radius"]["summary"][0]
        assert answer["blast_radius"]["relying_parties"][0]["accepts"] == "until"
        assert [line["event"] for line in logged if line["event"] == "usage_unknown"] == ["usage_unknown"]
        assert kid not in (await here.client(None).get("/t/acme/jwks.json")).text
        assert (await here.operator.get(f"/v1/tenants/acme/keys/{kid}/usage")).status_code == 503


async def test_an_index_that_hangs_is_not_waited_for(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(sums, "_SECONDS", 0.05)
    monkeypatch.setattr(acme.platform.search, "page", hang)
    answer = await compromise(acme, kid_of(acme))
    assert answer["blast_radius"]["usage"] is None


@pytest.fixture
async def team(acme: Site) -> Browser:
    return await browser(acme, "acme", "keys:read", "keys:revoke")


async def test_the_console_says_first_what_will_happen_and_to_whom_and_then_does_it(acme: Site, team: Browser) -> None:
    kid, standby = kid_of(acme), acme.platform.rings.of("acme").standby
    assert standby is not None
    await sign(acme, client_id="web", sub="ada")
    [path] = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', await team.open("/console/acme/keys")) if link.endswith(kid)]
    page = await team.open(path)
    assert "It leaves the JWKS at once" in page
    assert f"Key {standby.kid} signs at once." in page
    assert "A third key is published that nobody has seen" in page
    assert "at least 1 token for about 1 subject and 1 client" in page
    assert "shop@example.com" in page
    assert "until it is restarted" not in page
    assert "nobody knows" in page
    assert kid_of(acme) == kid, "looking changes nothing"
    page = (await team.press(path, csrf=team.hidden("csrf"), expects=team.hidden("expects"), reason="a laptop was stolen")).text
    assert f"Done: key {kid} has left the JWKS" in page
    assert "This key was compromised" in page
    assert "<form class" not in page
    assert kid_of(acme) == standby.kid
    assert "Done:" not in await team.open(path), "said once"
    assert "Who is affected</a>" in await team.open("/console/acme/keys")


async def test_the_console_does_nothing_if_the_key_has_become_another_meanwhile(acme: Site, team: Browser) -> None:
    standby = acme.platform.rings.of("acme").standby
    assert standby is not None
    path = f"/console/acme/keys/compromise?kid={standby.kid}"
    page = await team.open(path)
    assert "It has not signed yet" in page
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), "reason": "it was on the laptop"}
    await acme.operator.post("/v1/tenants/acme/keys/rotate", json={"activate": True, "reason": "meanwhile"})
    answer = await team.press(path, **form)
    assert answer.status_code == 409
    assert "nothing was done" in answer.text
    assert 'value="it was on the laptop"' in answer.text
    assert kid_of(acme) == standby.kid


async def test_the_console_does_nothing_if_it_would_be_about_other_relying_parties_than_were_shown(acme: Site, team: Browser) -> None:
    kid = kid_of(acme)
    path = f"/console/acme/keys/compromise?kid={kid}"
    await team.open(path)
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), "reason": "it was on the laptop"}
    await sign(acme, client_id="web")
    assert (await acme.operator.put("/v1/tenants/acme/relying-parties/mail", json={"name": "Mail <1>"})).status_code == 201
    answer = await team.press(path, **form)
    assert (answer.status_code, "nothing was done" in answer.text, "Mail &lt;1&gt;" in answer.text) == (409, True, True)
    assert kid_of(acme) == kid
    await sign(acme, client_id="web")
    await team.press(path, **(form | {"expects": team.hidden("expects")}))
    assert kid_of(acme) != kid, "signing goes on, and is in nobody's way"


async def test_the_console_wants_a_reason_the_scope_and_a_form_of_its_own(acme: Site, team: Browser) -> None:
    kid = kid_of(acme)
    path = f"/console/acme/keys/compromise?kid={kid}"
    await team.open(path)
    csrf, expects = team.hidden("csrf"), team.hidden("expects")
    answer = await team.press(path, csrf=csrf, expects=expects, reason=" ")
    assert answer.status_code == 400
    assert "takes a reason" in answer.text
    assert (await team.press(path, csrf="forged", expects=expects, reason="x")).status_code == 403
    reader = await browser(acme, "acme", "keys:read")
    page = await reader.open(path)
    assert "Reporting needs a token with the scope" in page
    assert (await reader.press(path, csrf=reader.hidden("csrf"), expects=expects, reason="x")).status_code == 403
    assert (await team.press("/console/globex/keys/compromise?kid=x", csrf=csrf, expects=expects, reason="x")).status_code == 404
    assert await team.open("/console/acme/keys/compromise?kid=none")
    assert team.page.status_code == 404
    assert kid_of(acme) == kid


async def test_where_it_takes_two_people_the_first_one_is_told_what_the_second_one_s_approval_will_do(acme: Site, team: Browser) -> None:
    kid = kid_of(acme)
    assert (await acme.operator.put("/v1/tenants/acme/keys/policy", json={"dual_control": ["compromise"]})).status_code == 200
    answer = await acme.operator.post(f"/v1/tenants/acme/keys/{kid}/compromise", json={"reason": "a laptop was stolen"})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "pending")
    assert answer.json()["blast_radius"]["state"] == "active"
    path = f"/console/acme/keys/compromise?kid={kid}"
    await team.open(path)
    page = (await team.press(path, csrf=team.hidden("csrf"), expects=team.hidden("expects"), reason="another laptop")).text
    assert "a second person" in page
    assert "Done:" not in page
    assert kid_of(acme) == kid


async def test_hostile_names_are_text(acme: Site, team: Browser) -> None:
    await acme.operator.put("/v1/tenants/acme/relying-parties/evil", json={"name": HOSTILE, "contact": HOSTILE})
    await sign(acme, client_id=HOSTILE, sub=HOSTILE)
    page = await team.open(f"/console/acme/keys/compromise?kid={kid_of(acme)}")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;<i>RLO</i>") >= 3
