"""Nodes on one log and one key store in virtual time; a test holds each of their steps there in its hand (`tests/stepped.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound
from keyvault.key_store import KeyName, KeyStore
from keyvault.ring import Ring
from streams.event_log import EventLog
from streams.scope import TenantScope
from tests.services.nodes import Node, node
from tests.stepped import Operation, SteppedLog, SteppedStore

_FOREVER: Final = 86_400.0


@dataclass(slots=True, kw_only=True)
class Clock:
    """A node's: by how much it is ahead of true time, in milliseconds, and true time itself."""

    true: Callable[[], int]
    ahead: int = 0

    def __call__(self) -> int:
        return self.true() + self.ahead


class VirtualNode:
    """A node that does one thing at a time, can crash, and starts again with nothing but what the log and the key store hold."""

    def __init__(self, log: EventLog, store: KeyStore, true: Callable[[], int]) -> None:
        self.clock = Clock(true=true)
        self.doing: Operation | None = None
        self._log = SteppedLog(log)
        self._store = SteppedStore(store)
        self._running: Node | None = None
        self._stack = AsyncExitStack()

    @property
    def up(self) -> bool:
        return self._running is not None

    @property
    def here(self) -> Node:
        """Its parts."""
        assert self._running is not None, "it has crashed"
        return self._running

    async def start(self) -> None:
        """Starts it, unless it is up."""
        if self._running is None:
            self._running = await self._stack.enter_async_context(node(self._log, self._store, clock=self.clock, schedules=False))
            # Whoever stands still would wait for the store in real time.
            self._running.custodian._keeper._patience = _FOREVER

    async def begin(self, work: Callable[[Node], Coroutine[Any, Any, object]]) -> Operation:
        """Begins to do something; it stands at its first step, or is over already."""
        assert self.doing is None or self.doing.over
        self.doing = Operation(work(self.here))
        await self.doing.stands()
        return self.doing

    async def do(self, work: Callable[[Node], Coroutine[Any, Any, object]]) -> Operation:
        """Does something at once."""
        operation = await self.begin(work)
        await operation.finish()
        return operation

    async def hear(self) -> None:
        """Returns when it has heard all that is in the log."""
        await self.here.control.catch_up()

    async def crash(self) -> None:
        """It stops where it stands."""
        if self.doing is not None:
            await self.doing.cut_off()
            self.doing = None
        self._running = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()


@asynccontextmanager
async def virtual_node(log: EventLog, store: KeyStore, true: Callable[[], int]) -> AsyncIterator[VirtualNode]:
    """One that is up, and ends with the context."""
    one = VirtualNode(log, store, true)
    try:
        await one.start()
        yield one
    finally:
        await one.crash()


Held = set[tuple[int, Algorithm, str]]
"""Keys in a store: ordinal, algorithm, `kid`."""


async def alive(store: KeyStore, scope: TenantScope, ordinals: range) -> Held:
    """What the store holds under these ordinals, with whatever algorithm."""
    found = set()
    for ordinal in ordinals:
        for algorithm in Algorithm:
            with suppress(KeyNotFound):
                jwk = await store.public_key(KeyName(scope, ordinal, algorithm))
                found.add((ordinal, algorithm, jwk.kid))
    return found


def kept(ring: Ring) -> Held:
    """What the store may hold: the keys of the ring that were not destroyed."""
    return {(key.ordinal, key.algorithm, key.kid) for key in ring.keys if key.destroyed_at is None}


def needed(ring: Ring) -> Held:
    """What the store must hold. A compromised key may be gone: it was reported after it was destroyed, and before that was in the log."""
    return {(key.ordinal, key.algorithm, key.kid) for key in ring.keys if key.destroyed_at is None and key.compromised_at is None}


def attempted(ring: Ring) -> set[tuple[int, Algorithm]]:
    """The names under which attempts may have left a key that is not in the log, and that the ring knows of.

    Its next keys will have some of them, and find it (an attempt on a ring without any key takes two names); those with other algorithms
    are leftovers once the next key is prepared, and discarded when nobody can be making them any more.
    """
    coming = {(ring.next_ordinal + number, ring.policy.algorithm) for number in range(2)}
    others = {(ordinal, one.algorithm) for one in ring.tried for ordinal in range(ring.next_ordinal, one.reach + 1)}
    return coming | others | {(one.ordinal, one.algorithm) for one in ring.leftovers}
