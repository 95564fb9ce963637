"""Relying parties over HTTP: registered, seen, waited for, advised; and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streams.control_log import ControlEvent
from tests.engines import embedded
from tests.platforms import Site

PARTIES = "/v1/tenants/acme/relying-parties"
SHOP = {"name": "Shop", "contact": "shop@example.com", "library": "spring", "own_url": True}


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def ask(site: Site, path: str) -> dict[str, Any]:
    answer = await site.operator.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def register(site: Site, name: str = "shop", **settings: Any) -> dict[str, Any]:
    answer = await site.operator.put(f"{PARTIES}/{name}", json=SHOP | settings)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def readiness(site: Site) -> dict[str, Any]:
    [standby] = [key for key in (await ask(site, "/v1/tenants/acme/keys"))["keys"] if key["state"] == "pre-activation"]
    return await ask(site, f"/v1/tenants/acme/keys/{standby['kid']}/readiness")


async def test_registering_changing_and_removing(acme: Site) -> None:
    first = await acme.operator.put(f"{PARTIES}/shop", json=SHOP)
    again = await acme.operator.put(f"{PARTIES}/shop", json=SHOP)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["jwks_uri"].endswith("/t/acme/rp/shop/jwks.json")
    changed = await register(acme, own_url=False, cached_for="PT2H")
    assert changed["cached_for"] == "PT2H"
    assert (await register(acme, own_url=False, cached_for=5400))["cached_for"] == "PT1H30M"
    assert changed["jwks_uri"].endswith("/t/acme/jwks.json")
    await register(acme, "mail")
    assert [party["id"] for party in (await ask(acme, PARTIES))["relying_parties"]] == ["mail", "shop"]
    assert (await acme.operator.delete(f"{PARTIES}/shop")).status_code == 204
    assert (await acme.operator.delete(f"{PARTIES}/shop")).status_code == 404
    assert (await acme.operator.get(f"{PARTIES}/shop")).status_code == 404


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Shop", {}, "DNS label"),
        ("shop", {"library": "curl"}, "known are jose"),
        ("shop", {"cached_for": "an hour"}, "cached_for: 'an hour' is not a duration"),
        ("shop", {"cached_for": "P9999D"}, "cached_for"),
        ("shop", {"cached_for": 3650 * 86_400 + 1}, "cached_for"),
        ("shop", {"cached_for": -1}, "cached_for"),
        ("shop", {"cached_for": True}, "cached_for"),
        ("shop", {"webhook": "ftp://example.com"}, "webhook: must be an https URL"),
        ("shop", {"webhook": "https://user:secret@example.com"}, "must not have a user or password"),
        ("shop", {"webhook": "https://example.com:99999"}, "webhook"),
        ("shop", {"webhook": "https://10.0.0.5/hook"}, "webhook: 10.0.0.5 has an address that is private"),
        ("shop", {"webhook": "https://[::1]:8443/hook"}, "TENANTRY_OUTBOUND_ALLOW"),
        ("shop", {"webhook": "http://93.184.215.14/hook"}, "without TLS"),
        ("shop", {"webhooks": "https://example.com"}, "webhooks"),
        ("shop", {"name": ""}, "name"),
    ],
)
async def test_what_is_wrong_is_refused_with_what_to_change(acme: Site, name: str, settings: dict[str, Any], message: str) -> None:
    answer = await acme.operator.put(f"{PARTIES}/{name}", json=SHOP | settings)
    assert answer.status_code == 400, answer.text
    assert message in answer.text
    assert "secret" not in answer.text


async def test_a_webhook_that_may_not_be_called_any_more_does_not_stop_other_changes(acme: Site) -> None:
    webhook = "https://10.0.0.5/hook"
    data = {"relying_party": {"id": "shop", "name": "Shop", "webhook": webhook}}

    async def decide() -> Sequence[ControlEvent]:
        return [ControlEvent(type="relying_party_registered", at=acme.platform.now(), by="test", data=data)]

    await acme.platform.control.commit("acme", decide)
    assert (await register(acme, webhook=webhook))["contact"] == SHOP["contact"]


async def test_what_a_token_may_do(acme: Site) -> None:
    await register(acme)
    await acme.create("globex")
    reader, other = await acme.token("acme", "keys:read"), await acme.token("globex", "tenant:admin", "keys:read")
    async with reader, other, acme.client(None) as nobody:
        assert (await nobody.get(PARTIES)).status_code == 401
        assert (await reader.get(PARTIES)).status_code == 200
        assert (await reader.put(f"{PARTIES}/shop", json=SHOP)).status_code == 403
        assert (await reader.delete(f"{PARTIES}/shop")).status_code == 403
        for path in (PARTIES, f"{PARTIES}/shop"):
            assert (await other.get(path)).status_code == 404
        assert (await other.put(f"{PARTIES}/shop", json=SHOP)).status_code == 404
        assert (await other.post(f"{PARTIES}/shop/check", json={})).status_code == 404


async def test_what_is_secret_in_a_webhook_is_for_those_who_may_change_it(acme: Site) -> None:
    webhook = "https://hooks.example:8443/t/s3cret-path?key=s3cret-query"
    assert (await register(acme, webhook=webhook))["webhook"] == webhook
    async with await acme.token("acme", "keys:read") as reader, await acme.token("acme", "keys:read", "tenant:admin") as admin:
        for path in (PARTIES, f"{PARTIES}/shop"):
            seen = await reader.get(path)
            assert "https://hooks.example:8443" in seen.text
            assert "s3cret" not in seen.text
            assert webhook in (await admin.get(path)).text
    await acme.settled()
    found = await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:relying_party_registered"})
    [event] = found.json()["events"]
    assert event["idp"]["relying_party"] == {**event["idp"]["relying_party"], "webhook": "https://hooks.example:8443", "name": "Shop"}
    assert "s3cret" not in found.text


async def test_its_own_url_answers_the_same_and_says_that_it_was_asked(acme: Site) -> None:
    await register(acme)
    async with acme.client(None) as nobody:
        everybodys, own = await nobody.get("/t/acme/jwks.json"), await nobody.get("/t/acme/rp/shop/jwks.json")
        assert own.status_code == 200
        assert (own.content, own.headers["etag"]) == (everybodys.content, everybodys.headers["etag"])
        assert (await nobody.get("/t/acme/rp/other/jwks.json")).status_code == 404
        assert (await nobody.get("/t/other/rp/shop/jwks.json")).status_code == 404
    await acme.platform.publication.settled()
    [stands] = (await readiness(acme))["relying_parties"]
    assert stands["id"] == "shop"
    assert stands["fetched_at"] is not None
    assert not stands["ready"], "it may have more than one process"


async def test_that_it_asked_is_in_the_tenants_log(acme: Site) -> None:
    await register(acme)
    async with acme.client(None) as nobody:
        await nobody.get("/t/acme/rp/shop/jwks.json")
    await acme.platform.publication.settled()
    await acme.settled()
    [fetched] = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:jwks_fetched"})).json()["events"]
    assert fetched["idp"]["relying_party"] == "shop"
    assert acme.platform.runner.trouble == {}


async def test_being_told_that_nothing_has_changed_counts_and_looking_does_not(acme: Site) -> None:
    await register(acme)
    async with acme.client(None) as nobody:
        head = await nobody.head("/t/acme/rp/shop/jwks.json")
        assert head.status_code == 200
        await acme.platform.publication.settled()
        assert (await readiness(acme))["relying_parties"][0]["fetched_at"] is None
        unchanged = await nobody.get("/t/acme/rp/shop/jwks.json", headers={"If-None-Match": head.headers["etag"]})
        assert unchanged.status_code == 304
    await acme.platform.publication.settled()
    assert (await readiness(acme))["relying_parties"][0]["fetched_at"] is not None


async def test_many_fetches_are_one_record(acme: Site) -> None:
    await register(acme)
    async with acme.client(None) as nobody:
        for _ in range(20):
            await nobody.get("/t/acme/rp/shop/jwks.json")
    await acme.platform.publication.settled()
    records = [record for record in await acme.records("control") if b"jwks_fetched" in record.value]
    assert len(records) == 1


async def test_a_party_without_a_url_of_its_own_has_none(acme: Site) -> None:
    await register(acme, own_url=False)
    async with acme.client(None) as nobody:
        assert (await nobody.get("/t/acme/rp/shop/jwks.json")).status_code == 404


async def test_a_rotation_waits_for_whom_it_would_break_and_says_who_that_is(acme: Site) -> None:
    policy = {"publish_ahead": "PT2S", "jwks_max_age": "PT1S", "clock_skew": "PT0S", "algorithm": "ES256"}
    assert (await acme.operator.put("/v1/tenants/acme/keys/policy", json=policy)).status_code == 200
    await register(acme, library=None, cached_for="PT6H")
    found = await readiness(acme)
    assert not found["safe"]
    answer = await acme.operator.post("/v1/tenants/acme/keys/rotate", json={})
    assert answer.json()["outcome"] == "waiting"
    assert answer.json()["ready_at"] == found["safe_at"]
    forced = await acme.operator.post("/v1/tenants/acme/keys/rotate", json={"activate": True, "reason": "it must be now"})
    assert forced.json()["outcome"] == "activated"
    assert "Shop (shop@example.com)" in forced.json()["warning"]


async def test_a_policy_says_whom_it_may_break_when_it_is_set_and_when_it_is_read(acme: Site) -> None:
    path = "/v1/tenants/acme/keys/policy"
    await register(acme, library="dotnet")
    assert "warnings" not in await ask(acme, path)
    answer = await acme.operator.put(path, json={"publish_ahead": "PT1H"})
    assert "Shop (dotnet, up to PT13H10M)" in answer.json()["warnings"][0]
    read = await ask(acme, path)
    assert read == answer.json()
    again = await acme.operator.put(path, json=read | {"publish_ahead": "PT25H"})
    assert (again.status_code, "warnings" in again.json()) == (200, False)


async def test_the_check_answers_in_plain_words(acme: Site) -> None:
    await register(acme)
    registered = (await acme.operator.post(f"{PARTIES}/shop/check", json={})).json()
    assert registered["survives_rotation"]
    assert registered["survives_emergency"]
    assert registered["advice"] == []
    static = (await acme.operator.post(f"{PARTIES}/shop/check", json={"never_expires": True, "refetches": False})).json()
    assert not static["survives_rotation"]
    assert static["exposed_for"] is None
    assert static["advice"]
    dotnet = (await acme.operator.post(f"{PARTIES}/shop/check", json={"library": "dotnet"})).json()
    assert dotnet["refused_for"] == "PT5M"
    assert dotnet["exposed_for"] == "PT1H15M", "the hour in which it goes on with what it had counts, too"
    unknown = await acme.operator.post(f"{PARTIES}/shop/check", json={"library": "curl"})
    assert unknown.status_code == 400


async def test_the_check_of_one_that_said_nothing_asks_for_it(acme: Site) -> None:
    await register(acme, library=None)
    answer = await acme.operator.post(f"{PARTIES}/shop/check", json={})
    assert answer.status_code == 400
    assert "say by which one it fetches" in answer.text


@embedded
async def test_discovery_is_where_both_specifications_look(acme: Site) -> None:
    async with acme.client(None) as nobody:
        openid = await nobody.get("/t/acme/.well-known/openid-configuration")
        oauth = await nobody.get("/.well-known/oauth-authorization-server/t/acme")
        assert oauth.status_code == 200
        assert oauth.content == openid.content == (await nobody.get("/t/acme/.well-known/oauth-authorization-server")).content
        assert (await nobody.get("/.well-known/oauth-authorization-server/t/other")).status_code == 404
        assert (await nobody.get("/.well-known/openid-configuration")).status_code == 404
