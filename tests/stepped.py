"""A log and a key store that stand still before and after every call, until a test lets the caller go on.

All interleavings of several nodes, and all places of a failure or a crash, can be had, and had again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from keyvault.algorithms import PrivateKey
from keyvault.errors import KeyStoreError, KeyStoreUnavailable, RingError
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from streams.errors import LogUnavailable
from streams.event_log import EventLog, NewRecord, Record, Subscription

T = TypeVar("T")
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

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        return await _stepwise("store", f"adopt {name}", lambda: self._store.adopt(name, private))

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
        self,
        stream: str,
        group: str | None,
        *,
        start: Mapping[int, int] | None = None,
        max_records: int = 1000,
        max_bytes: int = 4 << 20,
        pace: float = 0.0,
    ) -> Subscription:
        return self._log.follow(stream, group, start=start, max_records=max_records, max_bytes=max_bytes, pace=pace)

    async def close(self) -> None:
        await self._log.close()


def unavailable(step: Step) -> Exception:
    """The error of the port at which the node stands, if it can have one there: the log never fails once it has written."""
    assert step.port == "store" or not step.answered
    return KeyStoreUnavailable("the test says so") if step.port == "store" else LogUnavailable("the test says so")
