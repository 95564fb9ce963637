"""What an attacker tried, and must not succeed with again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from keyvault.key_store import KeyName
from services.events.ingest import MAX_EVENTS
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, NewRecord
from tests.platforms import Site, site

NDJSON = {"Content-Type": "application/x-ndjson"}
JANSSEN = {"action": "TOKEN_REQUEST", "timestamp": 1_795_000_000_000, "clientId": "shop", "success": True, "ip": "192.0.2.1"}


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def post(here: Site, *events: Any, tenant: str = "acme", source: str = "okta", **headers: str) -> Any:
    body = b"\n".join(json.dumps(event).encode() for event in events)
    path = f"/v1/tenants/{tenant}/events?source={source}"
    return await here.operator.post(path, content=body, headers={**NDJSON, **headers})


def okta(uuid: str, **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "published": "2026-11-23T10:00:00Z", "eventType": "user.session.start", **more}


async def total(here: Site, q: str, tenant: str = "acme") -> int:
    await here.settled()
    answer = await here.operator.get(f"/v1/tenants/{tenant}/events/counts", params={"q": q})
    count: int = answer.json()["total"]
    return count


async def test_no_event_takes_the_id_of_an_audit_event(acme: Site) -> None:
    for prefix in ("control-0-", "tenantry:control-0-", "tenantry:idp-events-0-"):
        answer = await post(acme, *(okta(f"{prefix}{n}") for n in range(1, 60)))
        assert answer.json()["taken"] == 59
    await acme.operator.post("/v1/tenants/acme/tokens", json={"name": "backdoor", "scopes": ["tenant:admin"]})
    assert await total(acme, "event.action:token_minted") == 1


async def test_no_event_takes_the_id_of_an_event_without_one(acme: Site) -> None:
    next_offset = (await acme.platform.log.ends(IDP_EVENTS))[0] + 1
    await post(acme, *(okta(f"tenantry:idp-events-0-{next_offset + n}-0") for n in range(3)))
    await post(acme, {**JANSSEN, "username": "mallory"}, source="janssen")
    assert await total(acme, "user.name:mallory") == 1


async def test_a_tenant_without_keys_has_no_jwks_rather_than_an_empty_one(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(name: KeyName) -> Any:
        raise OSError("the key store is away")

    with monkeypatch.context() as patched:
        patched.setattr(here.platform.store, "create", away)
        assert (await here.operator.put("/v1/tenants/late", json={"display_name": "Late"})).status_code >= 500
        answer = await here.client(None).get("/t/late/jwks.json")
        assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert (await here.operator.put("/v1/tenants/late", json={"display_name": "Late"})).status_code == 200
    assert len((await here.client(None).get("/t/late/jwks.json")).json()["keys"]) == 2


async def test_a_source_never_stays_with_a_deleted_tenant(here: Site) -> None:
    source = {"provider": "auth0", "tenant_name": "eu"}
    body = {"display_name": "Race", "sources": [source]}
    for n in range(5):
        await here.create(f"race{n}")
        path = f"/v1/tenants/race{n}"
        await asyncio.gather(here.operator.put(path, json=body), here.operator.delete(path))
        await here.operator.delete(path)
    await here.create("heir", source)


async def test_another_body_with_the_same_key_is_never_taken_for_the_first(tmp_path: Path) -> None:
    for user in ("first", "second"):
        async with site(tmp_path / "data") as here:  # a restart forgets which keys were used
            await here.create("acme")
            answer = await post(here, {**JANSSEN, "username": user}, source="janssen", **{"Idempotency-Key": "batch-1"})
            assert answer.json()["taken"] == 1
            assert await total(here, f"user.name:{user}") == 1


async def test_a_malformed_body_does_not_use_up_its_key(acme: Site) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    path = "/v1/tenants/acme/events?source=okta"
    assert (await acme.operator.post(path, content=b"[{", headers=headers)).status_code == 400
    assert (await acme.operator.post(path, content=json.dumps([okta("1")]).encode(), headers=headers)).status_code == 202


async def test_an_event_of_many_long_paths_stays_small_in_the_index(acme: Site) -> None:
    bomb = okta("bomb", debug={"k" * 4000: {str(n): 1 for n in range(30_000)}}, outcome={"result": "FAILURE"})
    assert (await post(acme, bomb)).json()["taken"] == 1
    assert await total(acme, "event.outcome:failure AND tags:trimmed") == 1


async def test_refusals_do_not_amplify(acme: Site) -> None:
    answer = await acme.operator.post("/v1/tenants/acme/events", content=b"0\n" * (MAX_EVENTS + 1), headers=NDJSON)
    assert answer.status_code == 413


async def test_bodies_are_bounded_whoever_sends_them(here: Site) -> None:
    async with here.client(None) as nobody:
        answer = await nobody.put("/v1/tenants/x", content=b'{"display_name": "' + b"x" * 1_000_000 + b'"}')
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_query_says_a_thing_once_and_few_prefixes(acme: Site) -> None:
    for q, status in ((" OR ".join(["user.name:u*"] * 30), 200), (" OR ".join(f"user.name:u{n}*" for n in range(40)), 400)):
        assert (await acme.operator.get("/v1/tenants/acme/events", params={"q": q})).status_code == status


async def test_nothing_is_read_without_a_trace(acme: Site) -> None:
    await post(acme, okta("1"))
    await acme.settled()
    get = acme.operator.get
    before = await total(acme, "event.action:events_tailed")
    await get("/v1/tenants/acme/events/tail", params={"after": "0000000000000000"})
    assert await total(acme, "event.action:events_tailed") == before + 1
    cursor = (await get("/v1/tenants/acme/events", params={"limit": 1})).json()["next"]
    for forged in (cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), "A" * len(cursor), "not a cursor", ""):
        answer = await get("/v1/tenants/acme/events", params={"limit": 1, "after": forged} if forged else {"limit": 1})
        assert answer.status_code == (400 if forged else 200)


@pytest.mark.parametrize("headers", [{"tenant": "../x"}, {"tenant": "nobody"}, {"arrived": "soon"}, {"framing": "lines", "first": "x"}])
async def test_odd_headers_are_dead_letters_and_hold_up_nobody(acme: Site, headers: dict[str, str]) -> None:
    record = NewRecord(IDP_EVENTS, json.dumps(okta("odd")).encode(), None, {"source": "okta", **headers})
    await acme.platform.log.append([record])
    await post(acme, okta("good"))
    assert await total(acme, "event.id:good") == 1
    [letter] = await acme.records(DEAD_LETTERS)
    assert letter.value == record.value


async def test_a_token_does_not_outlive_the_one_that_mints_it(acme: Site) -> None:
    body = {"name": "short", "scopes": ["tenant:admin", "events:read"], "expires_at": "2030-01-01T00:00:00Z"}
    short = (await acme.operator.post("/v1/tenants/acme/tokens", json=body)).json()["token"]
    async with acme.client(short) as client:
        for expires_at, status in ((None, 403), ("2030-01-02T00:00:00Z", 403), ("2029-12-31T00:00:00Z", 201)):
            child: dict[str, Any] = {"name": f"child-{status}", "scopes": ["events:read"], "expires_at": expires_at}
            assert (await client.post("/v1/tenants/acme/tokens", json=child)).status_code == status


async def test_an_issuer_is_one_tenants(acme: Site) -> None:
    await acme.create("globex")
    default = (await acme.operator.get("/v1/tenants/globex")).json()["issuer"]
    for issuer, status in ((default, 409), ("https://id.acme.example", 200)):
        assert (await acme.operator.put("/v1/tenants/acme", json={"display_name": "A", "issuer": issuer})).status_code == status
    body = {"display_name": "G", "issuer": "https://id.acme.example"}
    assert (await acme.operator.put("/v1/tenants/globex", json=body)).status_code == 409


@pytest.mark.parametrize(
    "issuer",
    [
        "https://[::1",
        "https://a b/x",
        "https://ex\nample.com",
        "https://a:99999",
        "https://a?b",
        "https://u@a",
        "http://a.example",
        "x",
        "https://\u202ea",
    ],
)
async def test_odd_issuers_are_refused(acme: Site, issuer: str) -> None:
    answer = await acme.operator.put("/v1/tenants/acme", json={"display_name": "A", "issuer": issuer})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("policy", [{"algorithm": []}, {"algorithm": {}}, {"jwks_max_age": "P3600D"}, {"rotation_period": []}])
async def test_odd_policies_are_refused(acme: Site, policy: dict[str, Any]) -> None:
    assert (await acme.operator.put("/v1/tenants/acme/keys/policy", json=policy)).status_code == 400


async def test_odd_and_doubled_sources_are_refused(acme: Site) -> None:
    for sources in (
        [{"provider": "keycloak", "\ud800": "x"}],
        [{"provider": "keycloak"}],
        [{"provider": "auth0", "tenant_name": "a"}, {"provider": "auth0", "tenant_name": "a"}],
    ):
        body = json.dumps({"display_name": "A", "sources": sources})
        answer = await acme.operator.put("/v1/tenants/acme", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


async def test_a_token_signed_while_its_key_was_compromised_is_never_handed_out(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sign = acme.platform.store.sign
    signing, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def slow(name: KeyName, messages: Any) -> Any:
        signing.release()
        await may_end.wait()
        return await sign(name, messages)

    monkeypatch.setattr(acme.platform.store, "sign", slow)
    active = acme.platform.rings.of("acme").active
    assert active is not None
    bodies: list[dict[str, Any]] = [{"claims": {}}, {"batch": [{}, {}]}]
    asked = [asyncio.create_task(acme.operator.post("/v1/tenants/acme/tokens/sign", json=body)) for body in bodies]
    for _ in asked:
        await signing.acquire()
    await acme.operator.post(f"/v1/tenants/acme/keys/{active.kid}/compromise", json={"reason": "now"})
    may_end.set()
    single, batch = [(await one).json() for one in asked]
    for signed in (single, *batch["tokens"]):
        assert jwt.get_unverified_header(signed["token"])["kid"] == signed["kid"] != active.kid


async def test_a_cache_buster_does_not_keep_anybody_from_the_jwks(acme: Site) -> None:
    async with acme.client(None) as anybody:
        assert (await anybody.get("/t/acme/jwks.json?cb=1")).status_code == 200
        assert (await anybody.get("/t/acme/jwks.json?cb=1&at=2026-11-23T10:00:00Z")).status_code == 401


async def test_no_redirect_names_the_host_header(acme: Site) -> None:
    answer = await acme.operator.get("/v1/tenants/acme/", headers={"Host": "evil.example"})
    assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_changed_sources_are_in_their_tenants_log(acme: Site) -> None:
    body = {"display_name": "Acme", "sources": [{"provider": "auth0", "tenant_name": "acme-eu"}]}
    await acme.operator.put("/v1/tenants/acme", json=body)
    assert await total(acme, "event.action:sources_declared AND idp.sources.tenant_name:acme-eu") == 1
