"""The journal: writes down in each tenant's log what its keys have signed, one event for each key and period."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from keyvault.usage import Usage
from services.keys.usage import UsageCounter
from services.usage.note import Note, read_note
from streams.errors import AppendInDoubt, LogUnavailable
from streams.event_log import EventLog
from streams.position import position
from streams.scope import TenantScope
from streams.segment import Encoded, segments

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 50
"""Tenants that are written down together: some ten milliseconds of work, after which others on the event loop get a turn."""
_SUMS: Final = 100
"""Keys that are summed up in a period, if that is enough: each is a few searches."""


@dataclass(slots=True, eq=False)
class _Written:
    """A note on its way into the index: `position` is None until it is in the log."""

    scope: TenantScope
    kid: str
    encoded: Encoded
    position: int | None = None


class Journal:
    """Writes what a node has counted. What it can't write now it keeps, and tries again the next time.

    Where the log does not answer whether it has a note, the same note is appended again later, under its id: what the index has twice
    counts once. Until the index has it, it counts for nothing, since a sum that was written down by another node may have it.
    """

    def __init__(self, counter: UsageCounter, log: EventLog, exists: Callable[[str], bool], now: Callable[[], int]) -> None:
        """`exists` says whether there still is a tenant; `now` is the clock, in epoch milliseconds."""
        self._counter = counter
        self._log = log
        self._exists = exists
        self._now = now
        self._writing = asyncio.Lock()
        self._lately: dict[tuple[str, str], list[_Written]] = {}
        self._before: dict[tuple[str, str], list[_Written]] = {}
        self._in_doubt: list[_Written] = []
        self._notes: Counter[tuple[TenantScope, str]] = Counter()

    async def write(self, tenant: str | None = None) -> None:
        """Writes down what was counted, of one tenant or of all. When this returns, it is in the log, or kept for the next time."""
        async with self._writing:
            if tenant is None:
                # While the index is away, notes must not pile up in memory: after two periods the sum of this node lacks them, too.
                self._before, self._lately = self._lately, {}
            tenants = self._counter.tenants() if tenant is None else [tenant]
            try:
                await self._settle()
                for start in range(0, len(tenants), _AT_ONCE):
                    await self._write(tenants[start : start + _AT_ONCE])
                    await asyncio.sleep(0)
            except LogUnavailable as error:
                _log.warning("usage_not_written", tenants=len(self._counter.tenants()), in_doubt=len(self._in_doubt), error=str(error))

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
        missed = [one for one in notes if one.encoded.event_id not in known and (one.position is None or one.position > upto)]
        counted = self._counter.of(scope.tenant).get(kid)
        return [*(read_note(one.encoded.document).usage for one in missed), *([counted.usage] if counted is not None else [])]

    def often(self, notes: int) -> list[tuple[TenantScope, str]]:
        """Keys of which this node has written at least so many notes since it named them last: it is time for their sums.

        Where all keys sign, all get there in the same period. So only a share of them is named a time, those with most notes first, and the
        others the next times: 100, or as many as are needed for each to be named before it has got half as many again.
        """
        most = max(_SUMS, 2 * len(self._notes) // notes)
        found = [which for which, count in self._notes.most_common(most) if count >= notes]
        for which in found:
            del self._notes[which]
        return found

    async def _write(self, tenants: Sequence[str]) -> None:
        # Taken when it is their turn, so that nobody who sums up meanwhile misses what is neither here nor there.
        taken = [counted for one in tenants for counted in self._counter.take(one)]
        kept = [counted for counted in taken if self._exists(counted.scope.tenant)]
        now = self._now()
        notes = [_Written(one.scope, one.kid, Note.new(one.kid, one.usage).encode(one.scope, now)) for one in kept]
        for note in notes:
            self._lately.setdefault((note.scope.tenant, note.kid), []).append(note)
        try:
            await self._append(notes)
        except BaseException as error:
            for note in notes:
                self._lately[note.scope.tenant, note.kid].remove(note)
            if isinstance(error, AppendInDoubt | asyncio.CancelledError):
                self._in_doubt += notes
            else:
                for counted in taken:
                    self._counter.put_back(counted)
            raise

    async def _settle(self) -> None:
        """Appends again what is in doubt. Nothing else is written before, so that this never gets more."""
        notes = [note for note in self._in_doubt if self._exists(note.scope.tenant)]
        await self._append(notes)
        self._in_doubt.clear()

    async def _append(self, notes: Sequence[_Written]) -> None:
        if not notes:
            return
        appended = await self._log.append([record for note in notes for record in segments(note.scope, [note.encoded])])
        for note, record in zip(notes, appended, strict=True):
            note.position = position(record.offset, 0)
        self._notes.update((note.scope, note.kid) for note in notes)
