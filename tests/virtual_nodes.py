"""Nodes on one log and one key store in virtual time, each of whose steps at either of them a test holds in its hand.

What a node is asked to do stands still before and after every call of the log and of the key store, until the test lets it go on, lets the
call fail, or crashes the node. So all interleavings of several nodes, and all places of a crash, can be had, and had again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound, KeyStoreError, KeyStoreUnavailable, RingError
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from keyvault.ring import Ring
from streams.errors import LogUnavailable
from streams.event_log import EventLog, NewRecord, Record, Subscription
from streams.scope import TenantScope
from tests.services.nodes import Node, node

T = TypeVar("T")
_FOREVER: Final = 86_400.0
REFUSALS: Final = (RingError, KeyStoreError, LogUnavailable)
"""What a node may answer instead of doing what it was asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a node stands: before it asks the log or the store something, or before it has heard the answer."""

    port: str
    call: str
    answered: bool

    def __str__(self) -> str:
        return f"{'after' if self.answered else 'before'} {self.call}"


class Operation:
    """Something that a node does, one step after another.

    Attributes:
        step: where it stands; None once it is over.
        result: what it answered.
        refused: with what it failed, if it did.
    """

    def __init__(self, work: Coroutine[Any, Any, object]) -> None:
        self.step: Step | None = None
        self.result: object = None
        self.refused: Exception | None = None
        self._standing = asyncio.Event()
        self._answer: asyncio.Future[None] | None = None
        self._task = asyncio.create_task(self._do(work))

    @property
    def over(self) -> bool:
        return self._task.done()

    async def stands(self) -> None:
        """Returns when it stands at a step, or is over."""
        standing = asyncio.create_task(self._standing.wait())
        await asyncio.wait({standing, self._task}, return_when=asyncio.FIRST_COMPLETED)
        standing.cancel()
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def go_on(self, error: Exception | None = None) -> None:
        """Lets it do its next step, or lets this one fail; returns when it stands at the next one, or is over."""
        assert self._answer is not None
        self._standing.clear()
        if error is None:
            self._answer.set_result(None)
        else:
            self._answer.set_exception(error)
        await self.stands()

    async def finish(self) -> None:
        """Lets it do all that is left."""
        while not self.over:
            await self.go_on()

    async def cut_off(self) -> None:
        """Ends it where it stands."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.step = None

    async def at(self, step: Step) -> None:
        """For the ports: stands still."""
        self.step, self._answer = step, asyncio.get_running_loop().create_future()
        self._standing.set()
        await self._answer
        self.step = None

    async def _do(self, work: Coroutine[Any, Any, object]) -> None:
        _doing.set(self)
        try:
            self.result = await work
        except REFUSALS as error:
            self.refused = error
        self.step = None


_doing: ContextVar[Operation | None] = ContextVar("_doing", default=None)


async def _stepwise(port: str, call: str, work: Callable[[], Awaitable[T]]) -> T:
    operation = _doing.get()
    if operation is None:
        return await work()
    await operation.at(Step(port, call, answered=False))
    answer = await work()
    await operation.at(Step(port, call, answered=True))
    return answer


class SteppedStore(KeyStore):
    """The key store, as a node sees it."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def create(self, name: KeyName) -> PublicJwk:
        return await _stepwise("store", f"create {name}", lambda: self._store.create(name))

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await _stepwise("store", f"public_key {name}", lambda: self._store.public_key(name))

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        return await _stepwise("store", f"sign {name}", lambda: self._store.sign(name, messages))

    async def destroy(self, name: KeyName) -> None:
        await _stepwise("store", f"destroy {name}", lambda: self._store.destroy(name))

    async def close(self) -> None:
        await self._store.close()


class SteppedLog(EventLog):
    """The log, as a node sees it. It is followed without steps: a node that stands still hears what others do."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        return await _stepwise("log", "append", lambda: self._log.append(records))

    async def append_if_unchanged(self, records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        return await _stepwise("log", "append", lambda: self._log.append_if_unchanged(records, last=last))

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        return await self._log.read(stream, key=key, partition=partition, start=start, limit=limit)

    async def ends(self, stream: str) -> Mapping[int, int]:
        return await _stepwise("log", "ends", lambda: self._log.ends(stream))

    async def cursors(self, stream: str, group: str) -> Mapping[int, int]:
        return await self._log.cursors(stream, group)

    async def partition_of(self, stream: str, key: str) -> int:
        return await self._log.partition_of(stream, key)

    def follow(
        self, stream: str, group: str | None, *, start: Mapping[int, int] | None = None, max_records: int = 1000, max_bytes: int = 4 << 20
    ) -> Subscription:
        return self._log.follow(stream, group, start=start, max_records=max_records, max_bytes=max_bytes)

    async def close(self) -> None:
        await self._log.close()


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


def unavailable(step: Step) -> Exception:
    """The error of the port at which the node stands, if it can have one there: the log never fails once it has written."""
    assert step.port == "store" or not step.answered
    return KeyStoreUnavailable("the test says so") if step.port == "store" else LogUnavailable("the test says so")


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
