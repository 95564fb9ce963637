"""What keys have signed: counted, in the tenant's own log, never too high, and nobody's name in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keyvault.durations import HOUR
from keyvault.usage import MOST_CLIENTS
from services.keys.usage import UsageCounter, secret_of_subjects
from services.usage.journal import Journal
from streams.event_log import TENANT_LOG
from streams.scope import TenantScope
from tests.platforms import Site, site
from tests.services.counting import ACME, SECRET, Node, kid_of, noted


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def sign(here: Site, **claims: Any) -> None:
    answer = await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": claims})
    assert answer.status_code == 200, answer.text


async def usage(here: Site, kid: str = "") -> dict[str, Any]:
    answer = await here.operator.get(f"/v1/tenants/acme/keys/{kid or kid_of(here)}/usage")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_tokens_are_counted_at_once_by_key_client_and_time(acme: Site) -> None:
    before = acme.platform.now()
    for claims in ({"client_id": "web", "sub": "ada"}, {"client_id": "web", "sub": "bob"}, {"azp": "app", "sub": "ada"}, {}):
        await sign(acme, **claims)
    found = await usage(acme)
    assert (found["signatures"], found["subjects"], found["without_client"], found["other_clients"]) == (4, 2, 1, 0)
    assert found["clients"] == [{"id": "web", "signatures": 2}, {"id": "app", "signatures": 1}]
    assert found["first_signed_at"] <= found["last_signed_at"] < found["last_expiry"]
    active = acme.platform.rings.of("acme").active
    assert active is not None
    counted = await acme.platform.usage.of(ACME, active.kid)
    assert counted.last_expiry is not None
    assert before + HOUR - 1000 <= counted.last_expiry <= acme.platform.now() + HOUR


async def test_each_token_of_a_batch_is_counted_and_none_of_a_refused_one(acme: Site) -> None:
    url, claims = "/v1/tenants/acme/tokens/sign", [{"azp": "web"}, {"azp": "app"}, {"azp": "web"}]
    assert (await acme.operator.post(url, json={"batch": claims})).status_code == 200
    assert (await acme.operator.post(url, json={"batch": [*claims, {"iss": "https://evil.example"}]})).status_code == 400
    assert (await usage(acme))["clients"] == [{"id": "web", "signatures": 2}, {"id": "app", "signatures": 1}]


async def test_a_key_that_has_signed_nothing_has_nothing(acme: Site) -> None:
    found = await usage(acme)
    assert (found["signatures"], found["clients"], found["last_expiry"]) == (0, [], None)
    assert (await acme.operator.get("/v1/tenants/acme/keys/none/usage")).status_code == 404


async def test_refused_claims_are_not_counted(acme: Site) -> None:
    answer = await acme.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"iss": "https://evil.example"}})
    assert answer.status_code == 400
    assert (await usage(acme))["signatures"] == 0


@pytest.mark.parametrize("path", ["usage", "blast-radius"])
async def test_it_takes_a_token_of_the_tenant_with_keys_read(acme: Site, path: str) -> None:
    await acme.create("globex")
    url = f"/v1/tenants/acme/keys/{kid_of(acme)}/{path}"
    assert (await acme.client(None).get(url)).status_code == 401
    for tenant, scope, status in (("acme", "events:read", 403), ("globex", "keys:read", 404), ("acme", "keys:read", 200)):
        async with await acme.token(tenant, scope) as client:
            assert (await client.get(url)).status_code == status


async def test_it_survives_a_restart_as_one_event_that_the_tenant_can_search(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        for number in range(30):
            await sign(here, client_id="web", sub=f"user {number % 3}")
        assert await noted(here) == []
    async with site(tmp_path / "data") as here:
        await here.settled()
        [note] = await noted(here)
        found = await usage(here)
        assert (found["signatures"], found["subjects"], found["clients"]) == (30, 3, [{"id": "web", "signatures": 30}])
        await sign(here, client_id="app")
        assert (await usage(here))["signatures"] == 31
        reader = await here.token("acme", "events:read")
        searched = await reader.get("/v1/tenants/acme/events", params={"q": "event.action:key_usage AND idp.clients.id:web"})
        [event] = searched.json()["events"]
        assert (event["event.id"], event["idp"]["kid"], event["idp"]["signatures"]) == (note.id, kid_of(here), 30)
        assert "user " not in searched.text
        await reader.aclose()


async def test_of_two_nodes_it_is_the_sum_and_a_subject_of_both_counts_once(acme: Site) -> None:
    other = Node(acme)
    other.counter = UsageCounter(secret_of_subjects(await _installation(acme)), acme.platform.now)
    other.journal = Journal(other.counter, acme.platform.log, acme.platform.tenants.exists, acme.platform.now)
    other.sign(5, client_id="app", sub="ada")
    for _ in range(3):
        await sign(acme, client_id="web", sub="ada")
    assert (await usage(acme))["signatures"] == 3, "the other has not written it down yet"
    await other.journal.write()
    await acme.settled()
    found = await usage(acme)
    assert (found["signatures"], found["subjects"]) == (8, 1)
    assert found["clients"] == [{"id": "app", "signatures": 5}, {"id": "web", "signatures": 3}]
    assert (await other.sums().of(ACME, kid_of(acme))).signatures == 5, "and now it is this one that has not"


async def _installation(here: Site) -> bytes:
    [created] = [record for record in await here.records("control") if b"cursor_key" in record.value]
    return bytes.fromhex(created.value.split(b'"cursor_key":"')[1].split(b'"')[0].decode())


async def test_a_hostile_number_of_clients_stays_small(acme: Site) -> None:
    node = Node(acme)
    for number in range(3 * MOST_CLIENTS):
        node.sign(client_id=f"<script>alert({number})</script>" + "x" * 5000, sub=f"user {number}")
    await node.journal.write()
    await acme.settled()
    found = await usage(acme)
    assert len(found["clients"]) == MOST_CLIENTS
    assert found["other_clients"] == 2 * MOST_CLIENTS
    assert abs(found["subjects"] - 3 * MOST_CLIENTS) < 60
    [record] = [one for one in await acme.records(TENANT_LOG) if b"key_usage" in one.value]
    assert len(record.value) < 80_000


async def test_another_tenants_same_subject_leaves_another_mark() -> None:
    counter = UsageCounter(SECRET, lambda: 0)
    for tenant in ("acme", "globex"):
        counter.count(TenantScope(tenant), "k", {"sub": "ada"}, 1)
    acme, globex = (counter.of(tenant)["k"].usage.subjects for tenant in ("acme", "globex"))
    assert acme != globex
