"""The port `SearchIndex`: one index per tenant, written by the index processor, asked by the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from streams.query.tree import Query
from streams.scope import TenantScope

Sort = Literal["newest", "oldest"]
OUTCOME: Final = "event.outcome"
FAILURE: Final = "failure"
MAX_PAGE_BYTES: Final = 8_000_000
"""A page ends early once its documents have so many bytes: events are small, but some have a megabyte."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event to index.

    Attributes:
        position: where it is in the tenant log.
        event_id: what makes it the same event when it comes again.
        time: its `@timestamp` in epoch milliseconds.
        document: the encoded `streams.event.Event`.
    """

    position: int
    event_id: str
    time: int
    document: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that can never be indexed as it is, and why."""

    entry: Entry
    reason: str


class Written(msgspec.Struct, frozen=True, gc=False):
    """What became of the entries of one tenant.

    Attributes:
        indexed: how many are new.
        duplicates: how many were there already (the first write of an event wins), counted within the call too.
        rejected: those that never will be.
        deferred: those that could not be written now though the engine answers: the tenant's index is missing, blocked, closed, busy,
            or being built anew. Any subset of the entries, in their order; writing all of them again later is safe. Everything else is
            in the index, durably.
        trouble: why entries were deferred, for operators; empty if none were.
    """

    indexed: int
    duplicates: int
    rejected: Sequence[Rejected] = ()
    deferred: Sequence[Entry] = ()
    trouble: str = ""

    def after(self, before: Written) -> Written:
        """What became of the entries in both attempts, this one having tried what was deferred `before`."""
        indexed, duplicates = before.indexed + self.indexed, before.duplicates + self.duplicates
        return Written(indexed, duplicates, [*before.rejected, *self.rejected], self.deferred, self.trouble)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found event: its position, its time in epoch milliseconds, and its document with `log.position` added."""

    position: int
    time: int
    document: bytes


def last_page(hits: Sequence[Hit], limit: int) -> bool:
    """Whether nothing comes behind this page of a search or tail."""
    return len(hits) < limit and sum(len(hit.document) for hit in hits) < MAX_PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a search ended: the next page begins strictly behind it, in the search's order."""

    time: int
    position: int


@dataclass(frozen=True, slots=True)
class Values:
    """How many events a query finds, from when to when (epoch milliseconds; 0 if there are none), and frequent values of fields among them.

    For each field that was asked for its values with their counts, most frequent first, those of equal count in the order of their text.
    """

    total: int
    first: int
    last: int
    buckets: Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many events, and how many failures, a query finds by time: `(start in epoch milliseconds, count)`, ascending, without 0."""

    total: int
    buckets: Sequence[tuple[int, int]]
    failures: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a tenant's index is.

    Attributes:
        documents: how many events it has.
        bytes: what it takes on disk; None where the engine does not tell that of a single tenant.
    """

    documents: int
    bytes: int | None = None


class Generation(Protocol):
    """A new index of one tenant, being filled."""

    async def write(self, entries: Sequence[Entry]) -> Written:
        """As `SearchIndex.write`, into the new index, but nothing is deferred.

        Raises:
            IndexUnavailable: some of the entries could not be written; writing them again is safe.
        """
        ...


class SearchIndex(Protocol):
    """A projection of the tenant log that can be searched.

    What every adapter keeps:

    - no call for one tenant reads, counts or changes another's events, whatever the query, cursor or document says;
    - the first write of an event id wins: later ones change nothing and count as duplicates;
    - what `write` returned for is durable, and is found by every search that begins after `refresh` returned;
    - a document that can't be indexed is rejected alone: the others of the call are indexed;
    - values longer than `streams.fields.MAX_TERM_CHARACTERS` are trimmed in the index, and found by the whole value; what is
      returned is whole;
    - one process writes to a tenant's index; any number search.

    Errors: `IndexUnavailable` from every call when the engine can't answer now; writing again is always safe.
    `IndexMissing` from calls on a tenant that has no index, or one that a later version of the adapter can't use: it must be prepared
    if it has no events yet, and else rebuilt. `write` raises neither for the trouble of single tenants: it defers their entries.
    """

    async def prepare(self, scope: TenantScope, *, pooled: bool = False) -> bool:
        """Makes sure that the tenant has an index. True if it is new, and so must be filled by replay.

        Args:
            scope: the tenant.
            pooled: whether a new one may share an engine's index with other tenants, which costs less where there are thousands.
                Nothing else may tell the two apart; an adapter whose indexes cost little enough need not share any.
        """
        ...

    async def check(self, scope: TenantScope) -> None:
        """Returns if the tenant has an index that can be used; cheap enough to be asked for ten thousand tenants.

        Raises:
            IndexMissing: it has none.
        """
        ...

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        """Indexes the entries of each tenant, in the order given; one tenant's trouble defers its own entries only.

        Raises:
            IndexUnavailable: the engine as a whole can't answer; some of the entries may have been written.
        """
        ...

    async def refresh(self, scope: TenantScope) -> None:
        """Returns when everything written before is found by searches."""
        ...

    async def get(self, scope: TenantScope, event_id: str) -> Hit | None:
        """The event with this id, or None."""
        ...

    async def search(
        self, scope: TenantScope, query: Query, *, sort: Sort = "newest", limit: int = 100, after: Place | None = None
    ) -> Sequence[Hit]:
        """At most `limit` events, ordered by time and then position, both descending for `newest`, ascending for `oldest`.

        Fewer, though there are more, only if their documents reach `MAX_PAGE_BYTES`; see `last_page`.
        """
        ...

    async def tail(self, scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
        """At most `limit` events with positions in `(after, upto]`, ascending by position; fewer as in `search`."""
        ...

    async def count(self, scope: TenantScope, query: Query) -> int:
        """How many events the query finds."""
        ...

    async def top_values(self, scope: TenantScope, query: Query, fields: Sequence[str], *, size: int = 10) -> Values:
        """The most frequent values of countable fields among the events that the query finds, all fields at the cost of one search."""
        ...

    async def histogram(self, scope: TenantScope, query: Query, *, interval: int, offset: int = 0) -> Histogram:
        """Events per `interval` milliseconds of `@timestamp`; buckets start at whole multiples of it, plus `offset`, since 1970."""
        ...

    async def positions(self, scope: TenantScope, ranges: Sequence[tuple[int, int]]) -> int:
        """How many events have their position in one of the ranges `(first, last)`, both included."""
        ...

    async def sizes(self) -> Mapping[str, Size]:
        """How large the indexes are, by tenant: for operators, who look at thousands at once. It costs few requests and reads no event.

        A tenant that has no index is not in it; one whose index is empty, or can't be asked now, may be missing. What was written a moment
        ago may not be counted yet, except after `refresh`.
        """
        ...

    def rebuild(self, scope: TenantScope, *, pooled: bool | None = None) -> AbstractAsyncContextManager[Generation]:
        """Opens a new index beside the present one, if there is one, which goes on answering.

        Leaving the context without an error swaps them atomically and drops the old one; leaving it with an error drops the
        new one. Writes of this process to the tenant are deferred meanwhile, as soon as this waits for those under way; whoever rebuilds
        sees to it that other processes write nothing to the tenant's index that will not be written again.

        Args:
            scope: the tenant.
            pooled: whether the new index may be shared, as in `prepare`, whatever the present one is; None: as the present one.
        """
        ...

    async def drop(self, scope: TenantScope) -> None:
        """Removes the tenant's index, if there is one."""
        ...

    async def close(self) -> None:
        """Releases everything. What was written stays."""
        ...
