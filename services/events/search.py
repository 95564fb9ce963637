"""Searching a tenant's log: pages, counts, histograms, tail and export, each with how fresh it is."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.errors import Invalid
from services.events.cursor import Seal
from services.events.export import Export
from services.events.tail import LATEST, Tail, beginning, is_bare
from streams import position as positions
from streams.errors import LogUnavailable, QueryError
from streams.fields import BY_NAME, FIELDS
from streams.processors.index import IndexProcessor
from streams.query.parser import parse
from streams.query.times import parse_time
from streams.query.tree import And, Query, TimeRange
from streams.scope import TenantScope
from streams.search_index import Histogram, Hit, Place, SearchIndex, Sort, Values, last_page

_INTERVAL: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_HEARD_SECONDS: Final = 30.0
"""Longer than the limits of the log's own questions, which tell better what is wrong; following it has none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as it was written: `q` in the query language, `since` (included) and `until` (excluded) as times."""

    q: str = ""
    since: str = ""
    until: str = ""

    def query(self, now: int) -> Query:
        """The question as a tree.

        Raises:
            QueryError: with the position in `q`, or naming `since` or `until`.
        """
        query = parse(self.q, now=now)
        first = moment("since", self.since, now) if self.since else None
        end = moment("until", self.until, now) if self.until else None
        if first is not None and end is not None and first >= end:
            raise QueryError("`since` is not before `until`", parameter="since")
        if first is None and end is None:
            return query
        return And((query, TimeRange("@timestamp", first, None if end is None else end - 1)))


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, the cursor of the next ones (None: there are no more now), and the position up to which the answer is complete."""

    hits: Sequence[Hit]
    next: str | None
    indexed_up_to: str


class Search:
    """Answers questions about the log of the tenant in the scope, and no other."""

    def __init__(self, index: SearchIndex, processor: IndexProcessor, cursor_key: bytes) -> None:
        self._index = index
        self._processor = processor
        self._cursor_key = cursor_key
        self._visible: dict[str, int] = {}
        self._refreshing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def page(
        self, scope: TenantScope, question: Question, *, now: int, sort: Sort, limit: int, after: str | None, whose: str = ""
    ) -> Page:
        """At most `limit` events by time.

        `whose` names a list with cursors of its own, for one whose first page is not audited: going on is not audited anywhere, so
        such a cursor must not go on in a search that is.

        Raises:
            QueryError: the question is not right.
            CursorError: `after` is no cursor of this search.
        """
        search = (question.q, question.since, question.until, sort)
        seal = Seal(self._cursor_key, scope, (whose, *search) if whose else search)
        cursor = seal.unseal(after) if after else None
        if cursor is not None:
            now = cursor.now
        query = question.query(now)
        fresh = await self.complete_up_to(scope)
        hits = await self._index.search(scope, query, sort=sort, limit=limit, after=cursor.place if cursor else None)
        last = None if last_page(hits, limit) else seal.seal(now, Place(hits[-1].time, hits[-1].position))
        return Page(hits, last, positions.render(fresh))

    async def tail(self, scope: TenantScope, question: Question, *, now: int, limit: int, after: str) -> Page:
        """At most `limit` events in the order of the log, after a position: nothing is skipped, and nothing comes twice.

        `after` is the `next` of an earlier answer, a `log.position`, `latest`, or empty for the beginning.

        Raises:
            QueryError: the question is not right.
            CursorError: `after` is nothing of that.
        """
        tail = await self.tailing(scope, question, now=now, after=after)
        upto = await self.complete_up_to(scope)
        hits = await tail.read(upto, limit)
        return Page(hits, tail.cursor(), positions.render(upto))

    async def tailing(self, scope: TenantScope, question: Question, *, now: int, after: str) -> Tail:
        """A tail that begins there, to be read on; for `after`, and what is raised, see `tail`."""
        # With the question: going on is not audited, so nobody may go on with another one.
        seal = Seal(self._cursor_key, scope, ("tail", question.q, question.since, question.until, ""))
        if not is_bare(after):
            cursor = seal.unseal(after)
            now, place = cursor.now, cursor.position
        else:
            place = await self.complete_up_to(scope) if after == LATEST else beginning(after)
        return Tail(self._index, scope, question.query(now), now=now, place=place, seal=seal)

    async def export(self, scope: TenantScope, question: Question, *, now: int) -> Export:
        """All events up to now, in the order of the log.

        Raises:
            QueryError: the question is not right.
        """
        tail = await self.tailing(scope, question, now=now, after="")
        upto = await self.complete_up_to(scope)
        return Export(tail, upto, await self._index.count(scope, question.query(now)))

    async def one(self, scope: TenantScope, event_id: str) -> Hit | None:
        """The event with this id, or None."""
        return await self._index.get(scope, event_id)

    async def around(
        self, scope: TenantScope, question: Question, hit: Hit, *, now: int, limit: int
    ) -> tuple[Sequence[Hit], Sequence[Hit]]:
        """The events by time right before and right after one, at most `limit` each, that the question finds; the earliest first.

        Raises:
            QueryError: the question is not right.
        """
        query, place = question.query(now), Place(hit.time, hit.position)
        await self.complete_up_to(scope)
        before, after = await asyncio.gather(
            self._index.search(scope, query, sort="newest", limit=limit, after=place),
            self._index.search(scope, query, sort="oldest", limit=limit, after=place),
        )
        return before[::-1], after

    async def top_values(self, scope: TenantScope, question: Question, *, now: int, by: Sequence[str], size: int) -> Values:
        """How many events there are, from when to when, and the most frequent values of some fields.

        Raises:
            Invalid: a field can't be counted by.
            QueryError: the question is not right.
        """
        for name in by:
            if name not in BY_NAME or not BY_NAME[name].countable:
                raise Invalid(f"can't count by {name!r}; there are {', '.join(field.name for field in FIELDS if field.countable)}")
        query = question.query(now)
        await self.complete_up_to(scope)
        return await self._index.top_values(scope, query, by, size=size)

    async def histogram(self, scope: TenantScope, question: Question, *, now: int, interval: str) -> Histogram:
        """How many events there are per interval, as `1h`.

        Raises:
            QueryError: the question or the interval is not right, or there would be too many buckets.
        """
        query, width = question.query(now), _interval(interval)
        await self.complete_up_to(scope)
        return await self._index.histogram(scope, query, interval=width)

    async def count(self, scope: TenantScope, question: Question, *, now: int) -> int:
        """How many events there are.

        Raises:
            QueryError: the question is not right.
        """
        query = question.query(now)
        await self.complete_up_to(scope)
        return await self._index.count(scope, query)

    async def indexed_up_to(self, scope: TenantScope) -> str:
        """The position up to which answers are complete, as users see it."""
        return positions.render(await self._processor.indexed_up_to(scope))

    async def complete_up_to(self, scope: TenantScope) -> int:
        """The position up to which everything is found by searches that begin now: what is indexed may not be visible yet.

        Questions that come together wait for the same refresh.

        Raises:
            LogUnavailable: the log does not tell it, or not in time.
        """
        try:
            async with asyncio.timeout(_HEARD_SECONDS):
                upto = await self._processor.indexed_up_to(scope)
        except TimeoutError:
            told = (
                f"how far the log of tenant {scope.tenant!r} is indexed was not heard within {_HEARD_SECONDS:.0f} seconds; try again later"
            )
            raise LogUnavailable(told) from None
        async with self._refreshing[scope.tenant]:
            if self._visible.get(scope.tenant, positions.BEGINNING) < upto:
                await self._index.refresh(scope)
                self._visible[scope.tenant] = upto
        return upto


def moment(name: str, text: str, now: int) -> int:
    """The time that a parameter names, in epoch milliseconds; of a day, its beginning in UTC.

    Raises:
        QueryError: it names none; with the parameter's name.
    """
    try:
        return parse_time(text, now=now, position=None).first
    except QueryError as error:
        message = str(error).removesuffix(f"; {error.hint}")
        raise QueryError(f"{name}: {message}", hint=error.hint, parameter=name) from error


def _interval(text: str) -> int:
    match = _INTERVAL.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise QueryError(f"interval: {text[:40]!r} is none; write it as 30s, 15m, 1h, 1d or 1w")
    return int(match[1]) * _UNITS[match[2]]
