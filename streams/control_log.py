"""The control log: every change of tenants, keys and tokens, as events that every node folds in memory.

Each aggregate (a tenant, the sources, the platform) has a key of its own. An event is appended only if nobody else has
appended to the same key since the state that it was decided on: of two commands at once, one decides again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog

from streams.errors import Changed, ControlError, LogUnavailable
from streams.event_log import CONTROL, EventLog, NewRecord, Record

_log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 1.0


class ControlEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about one aggregate.

    Attributes:
        type: what happened, in the past tense, as `key_activated`.
        at: when, in epoch milliseconds.
        by: the principal that did it, as `operator` or `token:7f3a…`, or `tenantry` itself.
        data: the facts, as plain JSON.
        command: the `Idempotency-Key` of the command that caused it, if it had one.
    """

    type: str
    at: int
    by: str
    data: dict[str, Any] = {}
    command: str | None = None


class Projection(Protocol):
    """A state folded from control events."""

    def apply(self, key: str, event: ControlEvent) -> None:
        """Takes the next event of the aggregate; ignores the types of others."""
        ...


Decide = Callable[[], Awaitable[Sequence[ControlEvent]]]


class ControlLog:
    """Follows the control log into the projections, and appends to it."""

    def __init__(self, log: EventLog, projections: Sequence[Projection]) -> None:
        self._log = log
        self._projections = projections
        self._last: dict[str, int] = {}
        self._places: dict[int, int] = {}
        self._moved = asyncio.Condition()
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failure: ControlError | None = None
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Folds everything there is, and follows from then on.

        Raises:
            ControlError: there is an event that this version can't read.
        """
        self._follower = asyncio.create_task(self._follow(), name="control-log")
        await self.catch_up()

    async def stop(self) -> None:
        """Follows no longer. The projections keep answering."""
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower

    async def catch_up(self) -> None:
        """Returns when the projections hold everything that was in the log when this was called.

        Raises:
            ControlError: they can't, because of an event that this version can't read.
            LogUnavailable: the log can't be asked now.
        """
        ends = await self._log.ends(CONTROL)

        def there() -> bool:
            return self._failure is not None or all(self._places.get(partition, 0) >= end for partition, end in ends.items())

        async with self._moved:
            await self._moved.wait_for(there)
        if self._failure is not None:
            raise self._failure

    @property
    def failure(self) -> ControlError | None:
        """Why the projections follow the log no more, if they don't: there is something in it that this version can't read."""
        return self._failure

    async def commit(self, key: str, decide: Decide) -> Sequence[ControlEvent]:
        """Appends what `decide` decides, on a state that nobody has changed meanwhile.

        Args:
            key: the aggregate.
            decide: looks at the projections and answers the events to append, none if there is nothing to do. It is called again
                when somebody else was faster, so whatever else it does must be safe to do again.

        Returns:
            The appended events; the projections hold them.

        Raises:
            AppendInDoubt: the events were appended, or not; the same call again decides on what is true, once the log can be asked.
            LogUnavailable: else; nothing was appended.
        """
        async with self._locks[key]:
            while True:
                await self.catch_up()
                last = self._last.get(key)
                events = await decide()
                if not events:
                    return ()
                if self._last.get(key) != last:
                    continue  # the follower has seen somebody else's event while we decided
                records = [NewRecord(CONTROL, msgspec.json.encode(event), key) for event in events]
                try:
                    appended = await self._log.append_if_unchanged(records, last=last)
                except Changed:
                    continue
                await self._reached(appended[-1])
                return events

    async def _reached(self, record: Record) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or self._places.get(record.partition, 0) > record.offset)
        if self._failure is not None:
            raise self._failure

    async def _follow(self) -> None:
        while True:
            try:
                async with self._log.follow(CONTROL, None, start=self._places) as subscription:
                    while (batch := await subscription.next()) is not None:
                        for record in batch.records:
                            self._apply(record)
                        self._places[batch.partition] = batch.end
                        async with self._moved:
                            self._moved.notify_all()
            except ControlError as error:
                self._failure = error
                async with self._moved:
                    self._moved.notify_all()
                return
            except Exception as error:  # noqa: BLE001 -- whatever it is, ending here would let those who catch up wait for ever
                # The projections answer from memory until the log is back.
                _log.warning("control_log_unavailable", error=str(error), exc_info=not isinstance(error, LogUnavailable))
                await asyncio.sleep(_RETRY_SECONDS)

    def _apply(self, record: Record) -> None:
        if record.key is None:
            raise ControlError(f"the control event at {record.offset} has no key")
        if record.offset < self._places.get(record.partition, 0):
            return  # seen before the connection to the log was lost
        try:
            event = msgspec.json.decode(record.value, type=ControlEvent)
            for projection in self._projections:
                projection.apply(record.key, event)
        except ControlError:
            raise
        except Exception as error:
            raise ControlError(
                f"the control event at {record.offset} of {record.key!r} can't be read ({error}); upgrade Tenantry"
            ) from error
        self._last[record.key] = record.offset
        # Within a batch, too: after a reconnect it must not be applied again.
        self._places[record.partition] = record.offset + 1
