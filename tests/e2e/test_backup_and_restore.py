"""A backup of a service at work, restored elsewhere: what was there when it began is there again."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Final, Self

import httpx
import jwt
import pytest

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from services.engines import open_store
from services.settings import Settings
from streams.scope import TenantScope
from tests.engines import embedded
from tests.platforms import REALM_IDS, keycloak
from tests.processes import NDJSON, OWN, Service, service, tenantry

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), embedded]

TENANTS: Final = ("globex", "hooli")
FORCED: Final = {"activate": True, "reason": "a test"}


class Traffic:
    """Events and rotations, until it is stopped; what was acknowledged."""

    def __init__(self, here: Service) -> None:
        self.here = here
        self.accepted: dict[str, list[str]] = {tenant: [] for tenant in TENANTS}
        self.kids: dict[str, set[str]] = {tenant: set() for tenant in TENANTS}
        self.tokens: list[tuple[str, str]] = []
        self._over = asyncio.Event()
        self._some = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(work(tenant)) for tenant in TENANTS for work in (self._send, self._rotate)]
        await asyncio.wait([asyncio.create_task(self._some.wait()), *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _send(self, tenant: str) -> None:
        while not self._over.is_set():
            first = len(self.accepted[tenant])
            names = [f"{tenant}-{number}" for number in range(first, first + 50)]
            await send(self.here, tenant, names)
            self.accepted[tenant] += names

    async def _rotate(self, tenant: str) -> None:
        while not self._over.is_set():
            answer = await self.here.post(f"/v1/tenants/{tenant}/keys/rotate", FORCED)
            if answer.status_code == 200:
                self.kids[tenant].add(answer.json()["active"])
                if all(len(kids) > 1 for kids in self.kids.values()) and all(self.accepted.values()):
                    self._some.set()
            signed = await self.here.post(f"/v1/tenants/{tenant}/tokens/sign", {"claims": {"sub": "user"}})
            if signed.status_code == 200:
                self.tokens.append((tenant, signed.json()["token"]))
            for key in (await ring(self.here, tenant))[:-3]:  # makes room
                if key["state"] == "deactivated":
                    await self.here.post(f"/v1/tenants/{tenant}/keys/{key['kid']}/compromise", {"reason": "room"})


async def send(here: Service, tenant: str, names: list[str]) -> None:
    """Sends events of these names, and returns when they are accepted."""
    events = [{"id": name, "time": 1_795_000_000_000, "type": "LOGIN", "realmId": REALM_IDS[tenant]} for name in names]
    answer = await here.ask("POST", f"/v1/tenants/{tenant}/events", content="\n".join(map(json.dumps, events)), headers=NDJSON)
    assert answer.json() == {"taken": len(names), "refused": []}


async def ring(here: Service, tenant: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await here.get(f"/v1/tenants/{tenant}/keys")).json()["keys"]
    return found


async def jwks(here: Service, tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = (await here.get(f"/t/{tenant}/jwks.json")).json()
    return found


async def test_what_was_acknowledged_before_a_backup_began_is_there_after_a_restore(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    async with service(tmp_path / "data") as here:
        for tenant in TENANTS:
            await here.create(tenant, keycloak(tenant))
            policy = {"algorithm": "ES256", "max_published_keys": 20}
            assert (await here.ask("PUT", f"/v1/tenants/{tenant}/keys/policy", json=policy)).is_success
        async with Traffic(here) as traffic:
            before = {tenant: (list(traffic.accepted[tenant]), set(traffic.kids[tenant])) for tenant in TENANTS}
            tokens = list(traffic.tokens)
            made = await here.run("backup", str(file), "--json")
            assert made.code == 0, made.err
            meanwhile = sum(len(traffic.accepted[tenant]) - len(before[tenant][0]) for tenant in TENANTS)
        assert made.json["keys"] >= sum(len(kids) for _, kids in before.values())
    assert meanwhile > 0, "it did not wait for the backup"

    there = tmp_path / "there"
    restored = await tenantry("restore", str(file), "--json", data=there)
    assert restored.code == 0, restored.err
    shutil.copy(tmp_path / "data/master.key", there)
    async with service(there) as again:
        assert again.token == here.token
        await again.settled()
        for tenant, (accepted, kids) in before.items():
            found = [event["event.id"] for event in await again.exported(tenant, OWN)]
            assert len(found) == len(set(found))
            assert set(accepted) <= set(found)
            assert kids <= {key["kid"] for key in await ring(again, tenant)}
        await check_keys(again)
        for tenant, token in tokens:
            verify(token, await jwks(again, tenant), await ring(again, tenant))


async def check_keys(here: Service) -> None:
    """Every key that may sign, now or later, or did, is in the store and signs; a new one can be made."""
    store = open_store(Settings(data=here.data))
    for tenant in TENANTS:
        for key in await ring(here, tenant):
            if key["state"] not in {"active", "pre-activation", "deactivated"}:
                continue
            name = KeyName(TenantScope(tenant), key["ordinal"], Algorithm(key["algorithm"]))
            assert (await store.public_key(name)).kid == key["kid"]
            assert await store.sign(name, [b"message"])
        assert (await here.post(f"/v1/tenants/{tenant}/keys/rotate", FORCED)).status_code == 200
        signed = await here.post(f"/v1/tenants/{tenant}/tokens/sign", {"claims": {"sub": "user"}})
        verify(signed.json()["token"], await jwks(here, tenant), await ring(here, tenant))
    await store.close()


def verify(token: str, document: dict[str, Any], keys: list[dict[str, Any]]) -> None:
    """A token verifies, unless its key was compromised."""
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(key for key in keys if key["kid"] == kid)
    if "compromised_at" not in key:
        jwt.decode(token, jwt.PyJWKSet.from_dict(document)[kid].key, algorithms=["ES256"], options={"verify_aud": False})


async def test_a_restored_service_publishes_the_same(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=1) as here:
        tenant_ids = sorted(REALM_IDS)
        await here.settled()
        documents = {tenant: await jwks(here, tenant) for tenant in tenant_ids}
        counts = {tenant: await here.counts(tenant) for tenant in tenant_ids}
        assert (await here.run("backup", str(tmp_path / "backup.tar"))).code == 0
    (tmp_path / "there").mkdir()
    shutil.copy(tmp_path / "data/master.key", tmp_path / "there")
    assert (await tenantry("restore", str(tmp_path / "backup.tar"), data=tmp_path / "there")).code == 0
    async with service(tmp_path / "there") as again:
        await again.settled()
        assert {tenant: await jwks(again, tenant) for tenant in tenant_ids} == documents
        assert {tenant: await again.counts(tenant) for tenant in tenant_ids} == counts
        assert (await again.run("doctor")).code == 0


async def test_a_follower_misses_nothing_that_comes_after_a_restore(tmp_path: Path) -> None:
    """Its cursor is beyond the backup; the positions of new events are, too."""

    async def follow(here: Service, cursor: str) -> httpx.Response:
        return await here.get("/v1/tenants/globex/events/tail", q=OWN, after=cursor)

    async with service(tmp_path / "data") as here:
        await here.create("globex", keycloak("globex"))
        await send(here, "globex", ["first"])
        assert (await here.run("backup", str(tmp_path / "backup.tar"))).code == 0
        for number in range(5):
            await send(here, "globex", [f"lost-{number}"])
        await here.settled()
        cursor = (await follow(here, "")).json()["next"]
    assert (await tenantry("restore", str(tmp_path / "backup.tar"), data=tmp_path / "there")).code == 0
    shutil.copy(tmp_path / "data/master.key", tmp_path / "there")
    async with service(tmp_path / "there") as again:
        await again.settled()
        await send(again, "globex", ["new"])
        await again.settled()
        seen = (await follow(again, cursor)).json()["events"]
        assert [event["event.id"] for event in seen] == ["new"]
