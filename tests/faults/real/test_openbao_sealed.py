"""OpenBao is sealed while tokens are signed and keys rotate: what can't be done is said at once, and done when it can be."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_socket import enable_socket

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from services.engines import open_store
from services.settings import Settings
from streams.scope import TenantScope
from tests import engines
from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.sending import REALMS
from tests.faults.real.system import System, system
from tests.faults.real.watching import watched
from tests.policies import set_before
from tests.servers.fixtures import made
from tests.servers.openbao import OpenBao

ROTATES, COMPROMISED, BY_HAND = "globex", "initech", "umbrella"
OFTEN: Final = {
    "algorithm": "ES256",
    "max_published_keys": 20,
    "rotation_period": "PT4S",
    "publish_ahead": "PT2S",
    "max_token_lifetime": "PT1S",
    "clock_skew": "PT0S",
    "jwks_max_age": "PT1S",
}
_BOUND_SECONDS: Final = 15.0
"""Within which every request to sign is answered, whatever the key store does. On a busy machine; else it is a moment."""


@pytest.fixture
def own() -> Iterator[OpenBao]:
    """An OpenBao that the test seals."""
    enable_socket()
    with made(OpenBao, "openbao") as server:
        yield server


@dataclass
class Signer:
    """An identity provider that never stops asking for tokens, and what it was told."""

    here: System
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    async def run(self) -> None:
        while True:
            for tenant in REALMS:
                begun = time.monotonic()
                answer = await self.here.api.ask("POST", f"/v1/tenants/{tenant}/tokens/sign", json={"claims": {"sub": "user"}})
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.statuses[answer.status_code] += 1
                said = answer.status_code == 503 and answer.headers["retry-after"] and answer.json()["detail"]
                if answer.status_code != 200 and not said:
                    self.wrong.append(f"{tenant}: {answer.status_code} {answer.text}")
                await asyncio.sleep(0.01)  # leaves the processor to those who work

    async def told(self, status: int, more: int = 20) -> None:
        """Returns when it was answered so some more times."""
        enough = self.statuses[status] + more
        async with asyncio.timeout(PATIENCE):
            while self.statuses[status] < enough:  # noqa: ASYNC110 -- in another process
                await asyncio.sleep(0.05)


async def ring(here: System, tenant: str) -> list[dict[str, Any]]:
    answer = await here.api.get(f"/v1/tenants/{tenant}/keys")
    assert answer.status_code == 200, answer.text
    keys: list[dict[str, Any]] = answer.json()["keys"]
    return keys


async def active(here: System, tenant: str) -> str:
    [key] = [key["kid"] for key in await ring(here, tenant) if key["state"] == "active"]
    return str(key)


async def rotated(here: System, tenant: str, instead_of: str) -> None:
    """Returns when the tenant signs with another key, and has a standby."""
    async with asyncio.timeout(PATIENCE):
        while True:
            states = {key["state"]: key["kid"] for key in await ring(here, tenant)}
            if states.get("active", instead_of) != instead_of and "pre-activation" in states:
                return
            await asyncio.sleep(0.05)  # in another process


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("rounds", "seconds"), [(1, 6), pytest.param(5, 30, marks=pytest.mark.long)])
async def test_a_sealed_key_store_is_said_and_what_was_due_is_done_afterwards(
    tmp_path: Path, kafka: Any, opensearch: Any, own: OpenBao, rounds: int, seconds: int
) -> None:
    policies = {ROTATES: OFTEN, BY_HAND: {"algorithm": "ES256", "max_published_keys": 20}}
    await set_before(tmp_path, policies, process=False, **engines.on_servers(tmp_path, kafka, opensearch, own))
    async with system(tmp_path, kafka, opensearch, own, dice=chance()) as (here, _), watched(here.api):
        signer = Signer(here)
        signing = asyncio.create_task(signer.run())
        try:
            for number in range(rounds):
                await signer.told(200)
                await asyncio.to_thread(own.seal)
                await signer.told(503)
                await commands_while_sealed(here, number)
                before = await active(here, ROTATES)
                await asyncio.sleep(seconds)  # how long it is sealed: at least one rotation becomes due
                await asyncio.to_thread(own.unseal)
                await signer.told(200)
                await rotated(here, ROTATES, before)
                assert (await here.api.post(f"/v1/tenants/{BY_HAND}/keys/rotate", {"activate": True, "reason": "a test"})).is_success
        finally:
            signing.cancel()
            await asyncio.gather(signing, return_exceptions=True)
        assert signer.wrong == []
        print(dict(signer.statuses), f"slowest {signer.slowest:.2f} s")
        assert signer.slowest < _BOUND_SECONDS
        assert (await here.api.ask("PUT", f"/v1/tenants/{ROTATES}/keys/policy", json={"algorithm": "ES256"})).is_success
        await check(here, own)


async def commands_while_sealed(here: System, number: int) -> None:
    """A bad key leaves all the same; what needs the key store is refused in time."""
    begun = time.monotonic()
    answer = await here.api.post(f"/v1/tenants/{BY_HAND}/keys/rotate", {"activate": True, "reason": "sealed"})
    assert answer.status_code in {200, 503}, answer.text  # the standby can sign without the key store's help
    if number == 0:
        bad = await active(here, COMPROMISED)
        answer = await here.api.post(f"/v1/tenants/{COMPROMISED}/keys/{bad}/compromise", {"reason": "a test"})
        assert answer.is_success, answer.text
        published = (await here.api.get(f"/t/{COMPROMISED}/jwks.json")).json()["keys"]
        assert bad not in {key["kid"] for key in published}
    assert time.monotonic() - begun < 3 * _BOUND_SECONDS


async def check(here: System, own: OpenBao) -> None:
    """Each ring is sound, and OpenBao has the keys of the rings and no others."""
    store = open_store(Settings(data=here.data, **here.settings))
    known = 0
    try:
        for tenant in REALMS:
            async with asyncio.timeout(PATIENCE):
                while not sound(keys := await ring(here, tenant)):  # noqa: ASYNC110 -- in another process
                    await asyncio.sleep(0.05)
            assert len({key["kid"] for key in keys}) == len({key["ordinal"] for key in keys}) == len(keys)
            for key in (key for key in keys if key["state"] in {"active", "pre-activation"}):
                name = KeyName(TenantScope(tenant), key["ordinal"], Algorithm(key["algorithm"]))
                assert (await store.public_key(name)).kid == key["kid"], "the log and the key store mean the same key"
            known += len(keys)
    finally:
        await store.close()
    names = await asyncio.to_thread(own.ask, "LIST", f"{here.prefix}/keys")
    assert len(names["data"]["keys"]) == known, "no key is forgotten"


def sound(keys: list[dict[str, Any]]) -> bool:
    states = Counter(key["state"] for key in keys)
    return (states["active"], states["pre-activation"]) == (1, 1)
