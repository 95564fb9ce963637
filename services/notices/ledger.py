"""The ledger of notices: who has claimed one and what became of it, in the tenants' aggregates of the control log.

A tenant with many relying parties has as many claims and outcomes for each of its key events. Appended one by one they would keep its
aggregate, and in a wave the whole control log, busy; so those of a tenant that come together are appended together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streams.control_log import ControlEvent, ControlLog

LINGER_SECONDS: Final = 0.05
"""How long an outcome waits for others of its tenant: relying parties that were told together answer at about the same time."""

Decide = Callable[[], Sequence[ControlEvent]]
"""Looks at a line, and answers the events to append; nothing if there is nothing to do any more. It is asked again, on what is then the
newest state, if somebody else has changed the tenant meanwhile, so it must have no other effect."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    decide: Decide
    done: asyncio.Future[Sequence[ControlEvent]]


class Ledger:
    """Appends for a tenant, one append at a time, all that waits for it."""

    def __init__(self, control: ControlLog) -> None:
        self._control = control
        self._waiting: dict[str, list[_Entry]] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}

    async def write(self, tenant: str, decide: Decide, *, linger: float = 0.0) -> Sequence[ControlEvent]:
        """Appends what is decided. The decisions of one append must not depend on each other: they see the same state.

        Args:
            tenant: whose aggregate it belongs to.
            decide: what to append.
            linger: how many seconds it may wait for others, which then cost no append of their own.

        Returns:
            What was appended; the projections hold it.

        Raises:
            LogUnavailable: nothing was appended, or it is in doubt; what is written again is decided on what is true by then.
        """
        loop = asyncio.get_running_loop()
        entry = _Entry(decide, loop.create_future())
        self._waiting.setdefault(tenant, []).append(entry)
        loop.call_later(linger, self._begin, tenant)
        return await entry.done

    async def close(self) -> None:
        """Appends no more. Whoever still waits is cancelled."""
        for entry in (entry for entries in self._waiting.values() for entry in entries):
            entry.done.cancel()
        self._waiting.clear()
        writing = list(self._writing.values())
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)

    def _begin(self, tenant: str) -> None:
        if tenant in self._waiting and tenant not in self._writing:
            self._writing[tenant] = asyncio.create_task(self._write(tenant), name="notice-ledger")

    async def _write(self, tenant: str) -> None:
        try:
            while tenant in self._waiting:
                await self._append(tenant)
        finally:
            del self._writing[tenant]  # here, not when the task is seen to be done: who comes in between would wait for nobody

    async def _append(self, tenant: str) -> None:
        batch: list[_Entry] = []
        decided: list[Sequence[ControlEvent]] = []

        async def decide() -> Sequence[ControlEvent]:
            batch.extend(self._waiting.pop(tenant, []))  # also who has come while the log was asked
            decided[:] = [() if entry.done.cancelled() else entry.decide() for entry in batch]
            return [event for events in decided for event in events]

        try:
            await self._control.commit(tenant, decide)
        except asyncio.CancelledError:
            for entry in batch:
                entry.done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- it is told to everybody whose entry this was
            for entry in batch or self._waiting.pop(tenant, []):
                if not entry.done.done():
                    entry.done.set_exception(error)
        else:
            for entry, events in zip(batch, decided, strict=True):
                if not entry.done.done():
                    entry.done.set_result(events)
