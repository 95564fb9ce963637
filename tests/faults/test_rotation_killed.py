"""`kill -9` at random moments during rotations: one active key, none lost, none forgotten, and every JWKS whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
from joserfc import jwt as jose
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName, KeyStore
from services.engines import open_store
from services.settings import Settings
from streams.scope import TenantScope
from tests.daemon import PATIENCE
from tests.faults.chance import Killed, chance
from tests.processes import Service, service

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

BY_HAND: Final = {"algorithm": "RS256", "max_published_keys": 20}
"""Rotated by people only. An RSA key takes long to make, so that many a kill comes between the key store and the log."""
BY_ITSELF: Final = {
    "algorithm": "ES256",
    "max_published_keys": 20,
    "rotation_period": "PT3S",
    "publish_ahead": "PT2S",
    "max_token_lifetime": "PT1S",
    "clock_skew": "PT0S",
    "jwks_max_age": "PT1S",
}
"""Rotated every three seconds by the scheduler, too."""
TENANTS: Final = {"by-hand": BY_HAND, "by-itself": BY_ITSELF}


@dataclass
class Told:
    """What the service has answered, and so must keep."""

    tokens: list[str] = field(default_factory=list)
    activated: set[str] = field(default_factory=set)
    compromised: set[str] = field(default_factory=set)


async def command(killed: Killed, tenant: str, told: Told) -> None:
    """Gives random commands until the kills are over; each again with the same key until it is answered."""
    number = 0
    while not killed.over.is_set():
        await killed.up.wait()
        try:
            keys = await ring(killed.here, tenant)
        except httpx.TransportError:
            continue
        path, body = choice(killed, keys)
        number += 1
        headers = {"Idempotency-Key": f"{tenant}/{id(told)}/{number}"} if path.startswith("keys") else {}
        while True:
            await killed.up.wait()
            try:
                answer = await killed.here.ask("POST", f"/v1/tenants/{tenant}/{path}", json=body, headers=headers)
            except httpx.TransportError:
                continue
            break
        assert answer.status_code in {200, 201, 409}, answer.text
        if answer.status_code == 409:
            continue  # too many keys, or another client was first
        if path == "tokens/sign":
            told.tokens.append(answer.json()["token"])
        elif path.endswith("compromise"):
            told.compromised.add(path.split("/")[1])
        else:
            told.activated.add(answer.json()["active"])


def choice(killed: Killed, keys: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """A random command, but one that makes room when the JWKS is about to be full: then there is no place for a standby."""
    if len(old := [key["kid"] for key in keys if key["state"] == "deactivated"]) > 8:
        return f"keys/{old[-1]}/compromise", {"reason": "room"}
    kid = killed.dice.choice([key["kid"] for key in keys if key["state"] in {"active", "pre-activation", "deactivated"}])
    forced = {"activate": True, "reason": "a test"}
    commands: list[tuple[str, dict[str, Any]]] = [
        ("keys/rotate", {}),
        ("keys/rotate", forced),
        ("keys/rotate", forced),
        (f"keys/{kid}/compromise", {"reason": "a test"}),
        ("tokens/sign", {"claims": {"sub": "user"}}),
        ("tokens/sign", {"claims": {"sub": "user"}}),
    ]
    commands += [(f"keys/{key['kid']}/activate", {"reason": "a test"}) for key in keys if key["state"] == "pre-activation"]
    return killed.dice.choice(commands)


async def watch(killed: Killed, tenant: str) -> None:
    """Reads the JWKS all the time, as relying parties do: there is always a key in it."""
    while not killed.over.is_set():
        await killed.up.wait()
        try:
            document = await jwks(killed.here, tenant)
        except httpx.TransportError:
            continue
        assert document["keys"]


async def ring(here: Service, tenant: str) -> list[dict[str, Any]]:
    answer = await here.get(f"/v1/tenants/{tenant}/keys")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["keys"]
    return found


async def jwks(here: Service, tenant: str) -> dict[str, Any]:
    answer = await here.get(f"/t/{tenant}/jwks.json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def with_standby(here: Service, tenant: str) -> list[dict[str, Any]]:
    """The ring once the scheduler has given it a standby."""
    async with asyncio.timeout(PATIENCE):
        while True:
            keys = await ring(here, tenant)
            if any(key["state"] == "pre-activation" for key in keys):
                return keys
            await asyncio.sleep(0.05)  # in another process


async def check(here: Service, store: KeyStore, tenant: str, told: list[Told]) -> None:
    """The ring is sound, whatever was interrupted."""
    keys = await with_standby(here, tenant)
    states = Counter(key["state"] for key in keys)
    assert (states["active"], states["pre-activation"]) == (1, 1)
    assert len({key["ordinal"] for key in keys}) == len({key["kid"] for key in keys}) == len(keys)
    by_kid = {key["kid"]: key for key in keys}
    for one in told:
        assert one.activated <= {key["kid"] for key in keys if "activated_at" in key}
        assert one.compromised <= {key["kid"] for key in keys if "compromised_at" in key}
    for key in keys:
        if key["state"] in {"active", "pre-activation"}:
            name = KeyName(TenantScope(tenant), key["ordinal"], Algorithm(key["algorithm"]))
            assert (await store.public_key(name)).kid == key["kid"], "the log and the key store mean the same key"
            assert await store.sign(name, [b"message"])
    answer = await here.post(f"/v1/tenants/{tenant}/tokens/sign", {"claims": {"sub": "user"}})
    assert answer.status_code == 200, answer.text
    document = await jwks(here, tenant)
    assert verifies(answer.json()["token"], document)
    if tenant == "by-hand":  # nothing changes there by itself, and no token expires meanwhile
        now = datetime.now(UTC).isoformat()
        published = {kid for kid, key in by_kid.items() if key["state"] in {"active", "pre-activation"}}
        published |= {kid for kid, key in by_kid.items() if key["state"] == "deactivated" and key["publish_until"] > now}
        assert {key["kid"] for key in document["keys"]} == published
        for token in (token for one in told for token in one.tokens):
            kid = jwt.get_unverified_header(token)["kid"]
            assert verifies(token, document) == ("compromised_at" not in by_kid[kid])


def verifies(token: str, document: dict[str, Any]) -> bool:
    try:
        jose.decode(token, KeySet.import_key_set(document), algorithms=["RS256", "ES256"])  # type: ignore[arg-type]
    except (JoseError, ValueError):
        return False
    return True


async def check_that_none_is_forgotten(here: Service, tenant: str) -> None:
    """A key that a kill left in the key store only is taken by one of the next rotations."""
    policy = {**BY_HAND, "algorithm": TENANTS[tenant]["algorithm"]}
    assert (await here.ask("PUT", f"/v1/tenants/{tenant}/keys/policy", json=policy)).is_success
    for key in await ring(here, tenant):
        if key["state"] == "deactivated":  # makes room
            answer = await here.post(f"/v1/tenants/{tenant}/keys/{key['kid']}/compromise", {"reason": "room"})
            if answer.status_code == 409:  # the scheduler destroyed it first
                assert "is destroyed" in answer.json()["detail"], answer.text
            else:
                assert answer.status_code == 200, answer.text
    for _ in range(2):
        await with_standby(here, tenant)
        answer = await here.post(f"/v1/tenants/{tenant}/keys/rotate", {"activate": True, "reason": "a test"})
        assert answer.status_code == 200, answer.text
    known = {f"{key['ordinal']}-{key['algorithm']}.key" for key in await with_standby(here, tenant)}
    assert {path.name for path in (here.data / "keys" / tenant).glob("*.key")} == known


@asynccontextmanager
async def key_store(here: Service) -> AsyncIterator[KeyStore]:
    """The key store of the running service: its files may be used by any number of processes."""
    store = open_store(Settings(data=here.data))
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.long)])
async def test_a_ring_is_sound_after_every_kill(tmp_path: Path, kills: int) -> None:
    async with service(tmp_path / "data") as here:
        for tenant, policy in TENANTS.items():
            await here.create(tenant)
            answer = await here.ask("PUT", f"/v1/tenants/{tenant}/keys/policy", json=policy)
            assert answer.status_code == 200, answer.text
        killed = Killed(here, chance())
        told = {tenant: [Told(), Told()] for tenant in TENANTS}
        async with asyncio.TaskGroup() as group, key_store(here) as store:
            for tenant in TENANTS:
                group.create_task(watch(killed, tenant))
                for one in told[tenant]:
                    group.create_task(command(killed, tenant, one))
            for _ in range(kills):
                await killed.kill(longest=2)
                for tenant in TENANTS:  # before anybody goes on
                    await check(here, store, tenant, told[tenant])
                killed.up.set()
            killed.over.set()
        assert all(any(one.tokens for one in ones) and any(one.activated for one in ones) for ones in told.values())
        for tenant in TENANTS:
            await check_that_none_is_forgotten(here, tenant)
