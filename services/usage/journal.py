"""The journal: writes down in each tenant's log what its keys have signed, one event for each key and period."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from keyvault.usage import Usage
from services.keys.usage import Counted, UsageCounter
from services.usage.note import Note, read_note
from streams.errors import LogUnavailable
from streams.event_log import EventLog, NewRecord
from streams.position import position
from streams.scope import TenantScope
from streams.segment import segments

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 50
"""Tenants that are written down together: some ten milliseconds of work, after which others on the event loop get a turn."""


@dataclass(slots=True)
class _Written:
    """A note on its way into the index: `position` is None until it is in the log."""

    id: str
    document: bytes
    position: int | None = None


class Journal:
    """Writes what a node has counted. What it can't write now it keeps, and tries again the next time."""

    def __init__(self, counter: UsageCounter, log: EventLog, exists: Callable[[str], bool], now: Callable[[], int]) -> None:
        """`exists` says whether there still is a tenant; `now` is the clock, in epoch milliseconds."""
        self._counter = counter
        self._log = log
        self._exists = exists
        self._now = now
        self._writing = asyncio.Lock()
        self._lately: dict[tuple[str, str], list[_Written]] = {}
        self._before: dict[tuple[str, str], list[_Written]] = {}
        self._notes: Counter[tuple[TenantScope, str]] = Counter()

    async def write(self, tenant: str | None = None) -> None:
        """Writes down what was counted, of one tenant or of all. When this returns, it is in the log, or kept for the next time."""
        async with self._writing:
            if tenant is None:
                # While the index is away, notes must not pile up in memory: after two periods the sum of this node lacks them, too.
                self._before, self._lately = self._lately, {}
            tenants = self._counter.tenants() if tenant is None else [tenant]
            for start in range(0, len(tenants), _AT_ONCE):
                # Taken when it is their turn, so that nobody who sums up meanwhile misses what is neither here nor there.
                taken = [counted for one in tenants[start : start + _AT_ONCE] for counted in self._counter.take(one)]
                try:
                    await self._append([counted for counted in taken if self._exists(counted.scope.tenant)])
                except Exception as error:
                    for counted in taken:
                        self._counter.put_back(counted)
                    if not isinstance(error, LogUnavailable):
                        raise
                    _log.warning("usage_not_written", tenants=len(tenants) - start, error=str(error))
                    return
                await asyncio.sleep(0)

    def unread(self, scope: TenantScope, kid: str, *, upto: int, known: set[str]) -> list[Usage]:
        """What this node has counted of a key and a reader of the index can't have found.

        Args:
            scope: the tenant.
            kid: of the key.
            upto: the position up to which the reader has found everything.
            known: the ids of the notes that it has found.
        """
        which = (scope.tenant, kid)
        notes = (*self._before.get(which, ()), *self._lately.get(which, ()))
        missed = [note for note in notes if note.id not in known and (note.position is None or note.position > upto)]
        counted = self._counter.of(scope.tenant).get(kid)
        return [*(read_note(note.document).usage for note in missed), *([counted.usage] if counted is not None else [])]

    def often(self, notes: int) -> list[tuple[TenantScope, str]]:
        """The keys of which this node has written so many notes since it was asked; they are counted anew."""
        found = [which for which, count in self._notes.items() if count >= notes]
        for which in found:
            del self._notes[which]
        return found

    async def _append(self, some: list[Counted]) -> None:
        if not some:
            return
        now = self._now()
        records: list[NewRecord] = []
        written: list[_Written] = []
        for counted in some:
            encoded = Note.new(counted.kid, counted.usage).encode(counted.scope, now)
            note = _Written(encoded.event_id, encoded.document)
            self._lately.setdefault((counted.scope.tenant, counted.kid), []).append(note)
            records += segments(counted.scope, [encoded])
            written.append(note)
        try:
            appended = await self._log.append(records)
        except BaseException:
            for counted, note in zip(some, written, strict=True):
                self._lately[counted.scope.tenant, counted.kid].remove(note)
            raise
        for note, record in zip(written, appended, strict=True):
            note.position = position(record.offset, 0)
        self._notes.update((counted.scope, counted.kid) for counted in some)
