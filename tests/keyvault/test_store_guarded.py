"""What a guarded key store refuses, and what it never takes for the store's being down. Under a clock of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from keyvault import algorithms
from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.errors import KeyNotFound, KeyStoreDown, KeyStoreUnavailable
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from keyvault.master_key import MasterKey
from keyvault.store_file import FileKeyStore
from keyvault.store_guarded import GuardedKeyStore
from streams.scope import TenantScope

ACME, GLOBEX = (KeyName(TenantScope(tenant), 1, Algorithm.ES256) for tenant in ("acme", "globex"))


class Line(KeyStore):
    """A line to a store, which can be cut, and over which some keys can't be used."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.cut = False
        self.bad: set[KeyName] = set()
        self.asked = 0

    def to(self, name: KeyName) -> KeyStore:
        self.asked += 1
        if self.cut:
            raise KeyStoreDown("no connection; is it running?")
        if name in self.bad:
            raise KeyStoreUnavailable(f"about the key {name} it says 'no'")
        return self._store

    async def create(self, name: KeyName) -> PublicJwk:
        return await self.to(name).create(name)

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        return await self.to(name).adopt(name, private)

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await self.to(name).public_key(name)

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        return await self.to(name).sign(name, messages)

    async def destroy(self, name: KeyName) -> None:
        await self.to(name).destroy(name)

    async def close(self) -> None:
        await self._store.close()


class Guarded:
    """A guarded store with a key of acme's and one of globex's."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.line = Line(FileKeyStore(directory, MasterKey(bytes(32))))
        self.store = GuardedKeyStore(self.line, clock=lambda: self.now)

    async def fails(self, name: KeyName, error: type[Exception], times: int = 5) -> None:
        """Signing with the key fails, each second."""
        for _ in range(times):
            with pytest.raises(error):
                await self.store.sign(name, [b"message"])
            self.now += 1

    async def signs(self, name: KeyName) -> None:
        public = await self.store.public_key(name)
        [signature] = await self.store.sign(name, [b"message"])
        assert algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    guarded = Guarded(tmp_path)
    for name in (ACME, GLOBEX):
        await guarded.store.create(name)
    yield guarded
    await guarded.store.close()


async def test_a_store_that_is_down_is_not_asked_and_every_call_is_told_when_to_come_again(guarded: Guarded) -> None:
    guarded.line.cut = True
    await guarded.fails(ACME, KeyStoreDown, 3)
    asked, store = guarded.line.asked, guarded.store
    calls = (
        lambda: store.sign(GLOBEX, [b"m"]),
        lambda: store.create(GLOBEX),
        lambda: store.public_key(GLOBEX),
        lambda: store.destroy(GLOBEX),
    )
    for call in calls:
        with pytest.raises(KeyStoreDown, match=r"no connection; is it running.*try again in 1 s") as refused:
            await call()
        assert refused.value.retry_after == 1
    assert guarded.line.asked == asked
    assert REGISTRY.get_sample_value("tenantry_key_store_down") == 1


async def test_it_works_again_by_itself(guarded: Guarded) -> None:
    guarded.line.cut = True
    await guarded.fails(ACME, KeyStoreDown)
    guarded.line.cut = False
    guarded.now += 2
    await guarded.signs(GLOBEX)
    await guarded.signs(ACME)
    assert REGISTRY.get_sample_value("tenantry_key_store_down") == 0


async def test_one_tenants_trouble_is_no_others(guarded: Guarded) -> None:
    guarded.line.bad.add(ACME)
    await guarded.fails(ACME, KeyStoreUnavailable, 20)
    await guarded.signs(GLOBEX)
    await guarded.fails(KeyName(TenantScope("nobody"), 1, Algorithm.ES256), KeyNotFound, 20)
    await guarded.signs(GLOBEX)


async def test_the_first_one_who_asks_again_may_have_a_bad_key(guarded: Guarded) -> None:
    guarded.line.cut = True
    await guarded.fails(ACME, KeyStoreDown)
    guarded.line.cut = False
    guarded.line.bad.add(ACME)
    guarded.now += 2
    await guarded.fails(ACME, KeyStoreUnavailable, 1)
    await guarded.signs(GLOBEX)


async def test_closing_it_closes_the_store(guarded: Guarded) -> None:
    await guarded.store.close()
    with pytest.raises(KeyStoreUnavailable, match="closed"):
        await guarded.store.public_key(ACME)
