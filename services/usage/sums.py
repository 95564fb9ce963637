"""Sums: what a key has signed since ever, on all nodes, read from its tenant's log by way of the index."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from keyvault.usage import Usage
from services.events.search import Question, Search
from services.usage.journal import Journal
from services.usage.note import NOTED, SUMMED, Note, notes_of, read_note
from streams import position as positions
from streams.errors import StreamsError
from streams.event_log import EventLog
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Hit
from streams.segment import segments

_log = structlog.get_logger(__name__)
MANY: Final = 200
"""Notes after which their sum is written down: with one every five minutes, that is after most of a day."""
_PAGE: Final = 200
"""Notes that are read together: some thirty milliseconds of work, after which others on the event loop get a turn."""
_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Notes(Question):
    """Asks for the notes of a key, or its sums."""

    kid: str = ""
    action: str = NOTED

    def query(self, now: int) -> Query:  # noqa: ARG002 -- nothing in it is about the time
        """As a tree: a `kid` can be any text."""
        return notes_of(self.kid, self.action)


class UsageSums:
    """Sums up the notes of a key.

    The tenant's log is the truth, and it may hold a billion other events: the index finds the few notes among them, and knows up to which
    position it is complete. What this node has counted and the index can't have yet is in the sum, too.
    """

    def __init__(self, search: Search, journal: Journal, log: EventLog, now: Callable[[], int]) -> None:
        self._search = search
        self._journal = journal
        self._log = log
        self._now = now

    async def of(self, scope: TenantScope, kid: str) -> Usage:
        """What the key has signed, as far as it is known here: never more than it has.

        What other nodes have signed in their current period is missing, and what a node had not written down when it was killed.

        Raises:
            StreamsError: the index or the log can't answer now.
        """
        total, start = await self._last_sum(scope, kid)
        known: set[str] = set()
        after = positions.render(start)
        while True:
            page = await self._search.tail(scope, _Notes(kid=kid), now=self._now(), limit=_PAGE, after=after)
            upto = positions.parse(page.indexed_up_to)
            for hit in page.hits:
                if (note := _readable(hit)) is not None:
                    total.join(note.usage)
                    known.add(note.id)
            if not page.hits:
                break
            after = page.next or after
        if len(known) >= MANY:
            await self._write_sum(scope, kid, total, upto)
        # Nothing is awaited from here on: what is counted meanwhile is neither missed nor counted twice.
        for usage in self._journal.unread(scope, kid, upto=upto, known=known):
            total.join(usage)
        return total

    async def soon(self, scope: TenantScope, kid: str) -> Usage | None:
        """The same within two seconds, or None: who asks has something more urgent to tell than a count."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self.of(scope, kid)
        except Exception as error:  # noqa: BLE001 -- whatever it is, an emergency must not fail because of it
            expected = isinstance(error, StreamsError | TimeoutError)
            _log.warning("usage_unknown", tenant=scope.tenant, kid=kid, error=str(error) or "no answer in time", exc_info=not expected)
            return None

    async def _last_sum(self, scope: TenantScope, kid: str) -> tuple[Usage, int]:
        """The newest sum that was written down, and the position up to which it goes. Any would do: a newer one only saves reading."""
        page = await self._search.page(scope, _Notes(kid=kid, action=SUMMED), now=self._now(), sort="newest", limit=1, after=None)
        note = _readable(page.hits[0]) if page.hits else None
        return (Usage(), positions.BEGINNING) if note is None or note.upto is None else (note.usage, note.upto)

    async def _write_sum(self, scope: TenantScope, kid: str, total: Usage, upto: int) -> None:
        note = Note.new(kid, total, upto)
        try:
            await self._log.append(segments(scope, [note.encode(scope, self._now())]))
        except StreamsError as error:
            _log.warning("usage_sum_not_written", tenant=scope.tenant, kid=kid, error=str(error))


def _readable(hit: Hit) -> Note | None:
    try:
        return read_note(hit.document)
    except ValueError as error:
        _log.warning("usage_note_unreadable", position=positions.render(hit.position), error=str(error))
        return None
