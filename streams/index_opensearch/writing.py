"""The writing of many tenants' entries at once, in bulk requests.

What a request costs OpenSearch is mostly per index in it, so the entries of a tenant, and those of a pool, stay together. Few requests
are under way at a time, and their bodies are made only then, so memory is bounded whatever the call holds. A tenant whose index is in
trouble costs the others a place in a request, once; entries that OpenSearch is too busy for are tried again apart, for a short time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from streams.errors import IndexUnavailable
from streams.index_opensearch import bulk
from streams.index_opensearch.bulk import WRITTEN, Fate, Outcome
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.documents import identity
from streams.index_opensearch.indexed import indexed
from streams.index_opensearch.plain import what_comes_before
from streams.search_index import Entry, Rejected, Written

_MAX_DOCUMENTS: Final = 4_000
_MAX_BYTES: Final = 5_000_000
_OVERHEAD: Final = 300
"""Bytes that a document becomes longer by, about."""
_TURN: Final = 250
"""Documents made before others on the event loop get a turn: about a millisecond."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between the attempts to write what OpenSearch is too busy for, about."""


class Target(NamedTuple):
    """Where the entries of a tenant go: an alias, or an index that nobody reads yet."""

    tenant: str
    name: str
    routing: str = ""


@dataclass
class _Tally:
    """What became of a tenant's entries so far."""

    indexed: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    deferred: list[Entry] = field(default_factory=list)
    trouble: str = ""

    def defer(self, entry: Entry, why: str) -> None:
        self.deferred.append(entry)
        self.trouble = self.trouble or why


class _Line(msgspec.Struct, frozen=True, gc=False):  # made for every event, and three times as fast as a tuple with names
    """A document on its way."""

    target: Target
    entry: Entry
    plain: bool
    data: bytes


_Parts = Mapping[Target, Sequence[Entry]]


class Writer:
    """Writes through one client.

    Args:
        client: whom to send to.
        requests: how many requests are under way at a time.
        through_aliases: whether targets must be aliases; else they are indexes.
        chance: random numbers in [0, 1), to spread the attempts of several writers.
    """

    def __init__(
        self, client: Client, *, requests: int = 4, through_aliases: bool = True, chance: Callable[[], float] = random.random
    ) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(requests)
        self._through_aliases = through_aliases
        self._chance = chance

    async def write(self, parts: _Parts) -> Mapping[str, Written]:
        """What became of the entries, by tenant.

        Raises:
            IndexUnavailable: the engine as a whole does not answer, or is too busy for anything.
        """
        tallies = {target.tenant: _Tally() for target in parts}
        busy = await self._round(parts, tallies)
        for pause in _PAUSES:
            if not busy:
                break
            await asyncio.sleep(pause * (0.5 + self._chance()))
            busy = await self._round(busy, tallies)
        if len(parts) > 1 and sum(map(len, busy.values())) == sum(map(len, parts.values())):
            raise IndexUnavailable("OpenSearch is too busy to take any of the events")
        for target, entries in busy.items():
            for entry in entries:
                tallies[target.tenant].defer(entry, f"OpenSearch has been too busy for events of tenant {target.tenant!r}")
        return {tenant: _written(tally) for tenant, tally in tallies.items()}

    async def _round(self, parts: _Parts, tallies: Mapping[str, _Tally]) -> dict[Target, list[Entry]]:
        """Tries all entries once; those that OpenSearch was too busy for."""
        answers = await asyncio.gather(*(self._request(request, tallies) for request in _requests(parts, tallies)), return_exceptions=True)
        busy: dict[Target, list[Entry]] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            for line in answer:
                busy.setdefault(line.target, []).append(line.entry)
        return busy

    async def _request(self, request: Sequence[tuple[Target, Sequence[Entry]]], tallies: Mapping[str, _Tally]) -> list[_Line]:
        async with self._slots:
            lines = await self._lines(request, tallies)
            refused, busy = self._settle(lines, await self._deliver(lines), tallies)
            if refused:
                # As they are, they can't be indexed; in the indexed form, nearly everything can.
                again = list(_in_indexed_form(refused, tallies))
                busy += self._settle(again, await self._deliver(again), tallies)[1]
            return busy

    async def _lines(self, request: Sequence[tuple[Target, Sequence[Entry]]], tallies: Mapping[str, _Tally]) -> list[_Line]:
        lines: list[_Line] = []
        add = lines.append
        for target, entries in request:
            tenant, head = target.tenant, bulk.header(target.name, routing=target.routing)
            for entry in entries:
                before, document = what_comes_before(tenant, entry), entry.document
                if before is None:
                    try:
                        document = indexed(tenant, entry)
                    except ValueError as error:
                        tallies[tenant].rejected.append(Rejected(entry, str(error)))
                        continue
                data = bulk.line(head, identity(tenant, entry.event_id), document, before or b"")
                add(_Line(target, entry, before is not None, data))
                if len(lines) % _TURN == 0:
                    await asyncio.sleep(0)
        return lines

    async def _deliver(self, lines: Sequence[_Line]) -> Sequence[Outcome]:
        """What became of the lines; halves the request if it is too large, and waits if OpenSearch is too busy for it."""
        if not lines:
            return []
        for pause in (*_PAUSES, 0):
            try:
                return await bulk.send(self._client, [line.data for line in lines], through_aliases=self._through_aliases)
            except Refused as error:
                if error.status in {400, 413}:
                    if len(lines) == 1:
                        return [Outcome(Fate.REFUSED, "it is too large" if error.status == 413 else error.kind)]
                    half = len(lines) // 2
                    return [*await self._deliver(lines[:half]), *await self._deliver(lines[half:])]
                if error.status not in {429, 502, 503, 504}:
                    hint = "; see its user, password and role" if error.status in {401, 403} else ""
                    raise IndexUnavailable(f"OpenSearch refuses to index ({error}){hint}") from None
            await asyncio.sleep(pause * (0.5 + self._chance()))
        raise IndexUnavailable("OpenSearch is too busy to index anything")

    @staticmethod
    def _settle(lines: Sequence[_Line], outcomes: Sequence[Outcome], tallies: Mapping[str, _Tally]) -> tuple[list[_Line], list[_Line]]:
        """Counts what is decided; which lines were refused as they are, and which are to be tried again."""
        refused: list[_Line] = []
        busy: list[_Line] = []
        for line, outcome in zip(lines, outcomes, strict=True):
            if outcome is WRITTEN:  # nearly all are
                tallies[line.target.tenant].indexed += 1
                continue
            tally, (fate, why) = tallies[line.target.tenant], outcome
            if fate is Fate.THERE:
                tally.duplicates += 1
            elif fate is Fate.BUSY:
                busy.append(line)
            elif fate is Fate.TROUBLE:
                tally.defer(line.entry, f"the index of tenant {line.target.tenant!r} can't be written to: {why}")
            elif line.plain:
                refused.append(line)
            else:
                tally.rejected.append(Rejected(line.entry, why))
        return refused, busy


def _requests(parts: _Parts, tallies: Mapping[str, _Tally]) -> Iterator[list[tuple[Target, Sequence[Entry]]]]:
    """The entries in requests of bounded size, index by index; a tenant's entries are in one, unless they alone are too many."""
    request: list[tuple[Target, Sequence[Entry]]] = []
    count = size = 0
    for target, entries in sorted(parts.items(), key=_by_name):
        weight = sum(len(entry.document) for entry in entries) + _OVERHEAD * len(entries)
        pieces: Sequence[Sequence[Entry]] = [entries]
        if len(entries) > _MAX_DOCUMENTS or weight > _MAX_BYTES:
            pieces = _cut(entries, tallies[target.tenant])
        for piece in pieces:
            if len(pieces) > 1:
                weight = sum(len(entry.document) for entry in piece) + _OVERHEAD * len(piece)
            if request and (count + len(piece) > _MAX_DOCUMENTS or size + weight > _MAX_BYTES):
                yield request
                request, count, size = [], 0, 0
            request.append((target, piece))
            count, size = count + len(piece), size + weight
    if request:
        yield request


def _by_name(part: tuple[Target, Sequence[Entry]]) -> str:
    return part[0].name


def _cut(entries: Sequence[Entry], tally: _Tally) -> list[list[Entry]]:
    """Pieces that fit a request each, without duplicates: of two requests under way, the second might come first."""
    pieces: list[list[Entry]] = [[]]
    seen: set[str] = set()
    size = 0
    for entry in entries:
        if entry.event_id in seen:
            tally.duplicates += 1
            continue
        seen.add(entry.event_id)
        weight = len(entry.document) + _OVERHEAD
        if pieces[-1] and (len(pieces[-1]) >= _MAX_DOCUMENTS or size + weight > _MAX_BYTES):
            pieces.append([])
            size = 0
        pieces[-1].append(entry)
        size += weight
    return pieces


def _in_indexed_form(lines: Sequence[_Line], tallies: Mapping[str, _Tally]) -> Iterator[_Line]:
    for line in lines:
        target, entry = line.target, line.entry
        head = bulk.header(target.name, routing=target.routing)
        try:
            document = indexed(target.tenant, entry)
        except ValueError as error:
            tallies[target.tenant].rejected.append(Rejected(entry, str(error)))
        else:
            yield _Line(target, entry, plain=False, data=bulk.line(head, identity(target.tenant, entry.event_id), document))


def _written(tally: _Tally) -> Written:
    return Written(tally.indexed, tally.duplicates, tally.rejected, tally.deferred, tally.trouble)
