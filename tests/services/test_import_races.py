"""An import of a private key, and the destruction of the same key, by two nodes at once: what signs is always there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from keyvault import import_commands
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound, WrongState
from keyvault.key import KeyState
from keyvault.key_store import KeyName
from keyvault.policy import Policy
from keyvault.private_key import ForeignKey
from services.keys.custodian import Done
from services.keys.imports import Adoption, Imports
from services.outbound.client import Outbound
from services.parts import now_ms
from streams.scope import TenantScope
from tests.services.nodes import Node, WatchedStore, engines, node, register

ACME: Final = TenantScope("acme")
BY: Final = "operator:test"
POLICY: Final = Policy.parse({"algorithm": "EdDSA", "clock_skew": "PT5M"})


class Died(BaseException):
    """The process was killed here."""


class Clock:
    """A clock that stands a while ahead of the real one."""

    ahead = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead


@dataclass
class Two:
    """Two nodes on one log and one key store, the first with a clock of its own; and a key of another IDP."""

    store: WatchedStore
    first: Node
    second: Node
    clock: Clock
    imports: Imports
    private: ed25519.Ed25519PrivateKey

    @property
    def name(self) -> KeyName:
        """Of the key, in the store."""
        return KeyName(ACME, 0, Algorithm.EDDSA, ForeignKey(self.private).thumbprint)

    async def adopt(self) -> Done:
        asked = Adoption(key=ForeignKey(self.private), kid="idp-1", known_since=now_ms() - 30 * 86_400_000)
        return await self.imports.adopt(ACME, asked, by=BY, command=None)

    async def report(self) -> None:
        """Has the other node report the key, and destroy it."""
        await self.first.custodian.compromise(ACME, "idp-1", reason="it has leaked", by=BY, command=None)
        await self.first.custodian.destroy(ACME, "idp-1", by=BY, command=None)

    async def sign(self) -> None:
        """Fails if what is to sign is not in the store."""
        await self.second.custodian.sign(ACME, [{"sub": "ada"}], "https://acme.example")


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with engines(tmp_path) as (log, store):
        await register(log, ["acme"], POLICY)
        clock = Clock()
        async with node(log, store, clock=clock, schedules=False) as first, node(log, store, schedules=False) as second:
            await first.custodian.settle(ACME)
            nobody = cast("Outbound", None)  # nothing is fetched
            imports = Imports(second.custodian, second.rings, store, nobody)
            yield Two(store, first, second, clock, imports, ed25519.Ed25519PrivateKey.generate())


async def test_a_destruction_that_is_slow_does_not_hit_a_key_that_signs(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock of the first node an interrupted import is over; by that of the second it can just be repeated."""
    jwk, until = ForeignKey(two.private).public(Algorithm.EDDSA, "idp-1"), now_ms() + 120_000
    await two.first.custodian.carry_out(
        ACME, lambda ring, now: import_commands.publish(ring, POLICY, now, [jwk], until, private=True), by=BY
    )
    await two.store.adopt(two.name, two.private)
    destroy, begun, may_go_on = two.store.destroy, asyncio.Event(), asyncio.Event()

    async def slow(name: KeyName) -> None:
        begun.set()
        await may_go_on.wait()
        await destroy(name)

    monkeypatch.setattr(two.store, "destroy", slow)
    two.clock.ahead = 180_000
    settling = asyncio.create_task(two.first.custodian.settle(ACME))
    await begun.wait()
    with pytest.raises(WrongState, match="about to destroy it"):
        await two.adopt()
    may_go_on.set()
    await settling
    await two.second.control.catch_up()
    assert two.second.rings.of("acme").find("idp-1").state is KeyState.DESTROYED
    await two.sign()


async def test_a_key_that_is_destroyed_while_the_store_takes_it_in_is_not_left_there(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt = two.store.adopt

    async def late(*arguments: Any) -> Any:
        await two.report()
        return await adopt(*arguments)

    monkeypatch.setattr(two.store, "adopt", late)
    with pytest.raises(WrongState, match="is destroyed"):
        await two.adopt()
    with pytest.raises(KeyNotFound):
        await two.store.public_key(two.name)
    await two.sign()


async def test_what_an_import_that_died_has_left_behind_is_destroyed_when_it_is_repeated(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt = two.store.adopt

    async def dying(*arguments: Any) -> Any:
        await two.report()
        await adopt(*arguments)
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(two.store, "adopt", dying)
        with pytest.raises(Died):
            await two.adopt()
    assert (await two.store.public_key(two.name)).thumbprint() == two.name.imported, "the log does not tell of it"
    with pytest.raises(WrongState, match="is destroyed"):
        await two.adopt()
    with pytest.raises(KeyNotFound):
        await two.store.public_key(two.name)
