"""Waves over HTTP: operators begin, watch and stop them; each tenant sees its own turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.platforms import Site

TENANTS = ["acme", "globex"]
SOON = {"publish_ahead": "PT2S", "clock_skew": "PT0S", "jwks_max_age": "PT1S"}
"""The algorithm stays, so the standby is the one that was made with the tenant."""


@pytest.fixture
async def site(here: Site) -> Site:
    for tenant in TENANTS:
        await here.create(tenant)
        answer = await here.operator.put(f"/v1/tenants/{tenant}/keys/policy", json=SOON)
        assert answer.status_code == 200, answer.text
    return here


async def begin(site: Site, **body: Any) -> dict[str, Any]:
    answer = await site.operator.post("/v1/waves", json={"rate": "1/d", "jitter": 0, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/waves/{found['id']}"
    return found


async def ended(site: Site, wave: str) -> dict[str, Any]:
    """The wave once it has ended."""
    changed = asyncio.Event()
    site.platform.rings.on_change(lambda _: changed.set())
    async with asyncio.timeout(60):
        while (found := (await site.operator.get(f"/v1/waves/{wave}")).json())["state"] == "running":
            await changed.wait()
            changed.clear()
    told: dict[str, Any] = found
    return told


async def keys(site: Site, tenant: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await site.operator.get(f"/v1/tenants/{tenant}/keys")).json()["keys"]
    return found


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/any"), ("DELETE", "/any")])
async def test_waves_are_for_operators_only(site: Site, method: str, path: str) -> None:
    body = {"rate": "1/d"} if method == "POST" else None
    async with site.client(None) as anybody, await site.token("acme", "keys:rotate", "tenant:admin") as tenant:
        assert (await anybody.request(method, f"/v1/waves{path}", json=body)).status_code == 401
        assert (await tenant.request(method, f"/v1/waves{path}", json=body)).status_code == 403
    assert (await site.operator.get("/v1/waves")).json() == {"waves": []}


async def test_a_wave_rotates_every_tenant_and_its_log_says_so(site: Site) -> None:
    standby = {tenant: (await keys(site, tenant))[0]["kid"] for tenant in TENANTS}
    wave = await begin(site, rate="100/s", reason="ticket 4711")
    told = await ended(site, wave["id"])
    assert (told["state"], told["done"], told["tenants"], told["reason"]) == ("finished", 2, 2, "ticket 4711")
    await site.settled()
    for tenant in TENANTS:
        [active] = [key["kid"] for key in await keys(site, tenant) if key["state"] == "active"]
        assert active == standby[tenant]
        found = await site.operator.get(
            f"/v1/tenants/{tenant}/events", params={"q": f"event.action:key_activated AND idp.wave:{wave['id']}"}
        )
        assert [event["idp"]["kid"] for event in found.json()["events"]] == [active]


async def test_a_tenant_sees_its_turn_until_the_wave_is_stopped(site: Site) -> None:
    usual = {tenant: (await keys(site, tenant))[0]["activates_at"] for tenant in TENANTS}
    wave = await begin(site)
    assert wave["state"] == "running"
    turns = {tenant: key.get("activates_at") for tenant in TENANTS for key in await keys(site, tenant) if key["state"] == "pre-activation"}
    [last] = [tenant for tenant, turn in turns.items() if turn == wave["ends_at"]]
    assert wave["ends_at"] < usual[last]
    answer = await site.operator.delete(f"/v1/waves/{wave['id']}")
    assert answer.status_code == 200
    assert answer.json()["state"] == "stopped"
    assert (await keys(site, last))[0]["activates_at"] == usual[last]
    [listed] = (await site.operator.get("/v1/waves")).json()["waves"]
    assert listed == (await site.operator.get(f"/v1/waves/{wave['id']}")).json() == answer.json()


async def test_a_wave_may_be_for_some(site: Site) -> None:
    wave = await begin(site, rate="100/s", tenants=["acme"])
    assert (await ended(site, wave["id"]))["done"] == 1
    assert not any(key["state"] == "deactivated" for key in await keys(site, "globex"))


async def test_the_same_idempotency_key_answers_the_same_wave(site: Site) -> None:
    headers = {"Idempotency-Key": "wave 1"}
    answers = [await site.operator.post("/v1/waves", json={"rate": rate}, headers=headers) for rate in ("1/d", "1/d", "2/d")]
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"rate": "fast"}, "invalid-wave"),
        ({"rate": "1/d", "jitter": 2}, "invalid"),
        ({"rate": "1/d", "speed": 1}, "invalid"),
        ({"rate": "1/d", "tenants": []}, "invalid"),
        ({"rate": "1/d", "tenants": ["acme", "nobody"]}, "invalid"),
        ({"rate": "1/d", "tenants": [f"nobody-{number}" for number in range(20_000)]}, "invalid"),
    ],
)
async def test_what_cannot_be_a_wave_is_refused(site: Site, body: dict[str, Any], problem: str) -> None:
    answer = await site.operator.post("/v1/waves", json=body)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, problem)


async def test_a_second_wave_is_a_conflict_and_a_wave_that_is_not_there_is_not_found(site: Site) -> None:
    wave = await begin(site)
    answer = await site.operator.post("/v1/waves", json={"rate": "1/d"})
    assert answer.status_code == 409
    assert wave["id"] in answer.json()["detail"]
    for method in ("GET", "DELETE"):
        assert (await site.operator.request(method, "/v1/waves/nothing")).status_code == 404
