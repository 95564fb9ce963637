"""What is asked of one tenant's events: always through its alias, and always with the tenant in the query, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from streams.errors import IndexUnavailable
from streams.index_opensearch import counts
from streams.index_opensearch.client import Client, Refused, TooLong
from streams.index_opensearch.counts import Summary
from streams.index_opensearch.documents import identity, original, owned
from streams.index_opensearch.schema import OWNER, POSITION, TIME
from streams.index_opensearch.translate import Asked, both, numbers
from streams.search_index import MAX_PAGE_BYTES, Histogram, Hit, Place, Sort, Values

_FIRST_FETCH: Final = 64
"""Documents asked for before it is known how large they are."""
MOST_BYTES: Final = 2 * MAX_PAGE_BYTES
"""Of one answer, which is in memory whole: what is longer is asked for in smaller parts, whatever the documents before it were like."""
_MOST_AT_ONCE: Final = 10_000
"""OpenSearch answers no more."""
_MAX_RANGES: Final = 500
"""OpenSearch takes 1,024 clauses."""


class Found(msgspec.Struct, gc=False):
    """A document that a query finds: its id, what was asked for of it, and its place in the order."""

    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source")
    sort: list[int] = []


class _Hits(msgspec.Struct, gc=False):
    hits: list[Found] = []


class _Page(msgspec.Struct, gc=False):
    hits: _Hits


class _Count(msgspec.Struct, gc=False):
    count: int


class _Ours(msgspec.Struct, gc=False):
    owner: str
    position: int
    time: int


class _Document(msgspec.Struct, gc=False):
    tenantry: _Ours


class _One(msgspec.Struct, gc=False):
    source: msgspec.Raw = msgspec.field(name="_source")


class Questions:
    """Asks about one tenant, behind one alias."""

    def __init__(self, client: Client, alias: str, tenant: str) -> None:
        self._client = client
        self._alias = alias
        self._tenant = tenant

    async def get(self, event_id: str) -> Hit | None:
        """The event of this id; seen as soon as it is written."""
        path = f"/{self._alias}/_doc/{quote(identity(self._tenant, event_id), safe='')}"
        try:
            answer = await self._client.ask("GET", path)
        except Refused as error:
            if error.answer.get("found") is False:
                return None
            raise
        source = bytes(msgspec.json.decode(answer, type=_One).source)
        ours = msgspec.json.decode(source, type=_Document).tenantry
        if ours.owner != self._tenant:  # which its id rules out
            return None
        return Hit(ours.position, ours.time, original(source))

    async def search(self, query: Asked, *, sort: Sort, limit: int, after: Place | None) -> list[Hit]:
        """A page, ordered by time and position."""
        order = "desc" if sort == "newest" else "asc"
        return await self._page(query, [{TIME: order}, {POSITION: order}], limit, [after.time, after.position] if after else None)

    async def tail(self, query: Asked, *, after: int, upto: int, limit: int) -> list[Hit]:
        """The first events with positions in `(after, upto]`."""
        if upto <= after:
            return []
        return await self._page(both(query, numbers(POSITION, after + 1, upto)), [{POSITION: "asc"}, {TIME: "asc"}], limit, None)

    async def _page(self, query: Asked, order: list[dict[str, str]], limit: int, after: list[int] | None) -> list[Hit]:
        hits: list[Hit] = []
        room, size = MAX_PAGE_BYTES, _FIRST_FETCH
        by_time = TIME in order[0]
        while limit > len(hits):
            found, more = await self._some(query, order, after, min(size, limit - len(hits), _MOST_AT_ONCE))
            for one in found:
                time, position = one.sort if by_time else reversed(one.sort)
                source = bytes(one.source)
                if not owned(source, self._tenant):  # which the query rules out, unless the index has another mapping
                    raise IndexUnavailable(
                        f"the index of tenant {self._tenant!r} answers with another's events; build it anew, by `tenantry replay --tenant`"
                    )
                hits.append(hit := Hit(position, time, original(source)))
                room -= len(hit.document)
                if room <= 0:
                    return hits
            if not more:
                break
            after = found[-1].sort
            size = max(1, room * len(hits) // (MAX_PAGE_BYTES - room))  # as many as there is room for, if they go on like this
        return hits

    async def each(self, query: Asked, fields: Sequence[str]) -> AsyncIterator[list[Found]]:
        """Everything that the query finds, by position: page by page, and only these fields of it."""
        order, after, more = [{POSITION: "asc"}, {TIME: "asc"}], None, True
        while more:
            found, more = await self._some(query, order, after, _FIRST_FETCH, fields)
            if found:
                yield found
                after = found[-1].sort

    async def some(self, query: Asked, fields: Sequence[str], size: int) -> tuple[list[Found], bool]:
        """So many of what the query finds, in no order, and only these fields of it; and whether there may be more."""
        return await self._some(query, ["_doc"], None, size, fields)

    async def _some(
        self, query: Asked, order: Sequence[Any], after: list[int] | None, size: int, fields: Sequence[str] | None = None
    ) -> tuple[list[Found], bool]:
        """What comes next, and whether there may be more; fewer than `size` if they are large, but at least one, if there is one."""
        while True:
            body: dict[str, Any] = {"size": size, "sort": order, "track_total_hits": False}
            if after is not None:
                body["search_after"] = after
            if fields is not None:
                body["_source"] = fields
            try:
                found = msgspec.json.decode(await self._search(query, body, most=MOST_BYTES if size > 1 else None), type=_Page).hits.hits
            except TooLong:
                size = max(1, size // 4)
            else:
                return found, len(found) == size

    async def count(self, query: Asked) -> int:
        """How many events the query finds."""
        answer = await self._client.ask("POST", f"/{self._alias}/_count", {"query": self._own(query)})
        return msgspec.json.decode(answer, type=_Count).count

    async def positions(self, ranges: Sequence[tuple[int, int]]) -> int:
        """How many events have their position in one of the ranges."""
        merged: list[tuple[int, int]] = []
        for start, end in sorted(ranges):
            if merged and start <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            elif start <= end:
                merged.append((start, end))
        found = 0
        for begin in range(0, len(merged), _MAX_RANGES):
            some = [numbers(POSITION, start, end) for start, end in merged[begin : begin + _MAX_RANGES]]
            found += await self.count({"bool": {"should": some, "minimum_should_match": 1}})
        return found

    async def top_values(self, query: Asked, fields: Sequence[str], size: int) -> Values:
        """See `streams.index_opensearch.counts`."""
        return await counts.top_values(partial(self._summary, query), fields, size)

    async def histogram(self, query: Asked, *, interval: int, offset: int) -> Histogram:
        """See `streams.index_opensearch.counts`."""
        return await counts.histogram(partial(self._summary, query), interval=interval, offset=offset)

    async def _summary(self, query: Asked, aggregations: dict[str, Any]) -> Summary:
        body = {"size": 0, "track_total_hits": True, "aggs": aggregations}
        return msgspec.json.decode(await self._search(query, body), type=Summary)

    async def _search(self, query: Asked, body: dict[str, Any], *, most: int | None = None) -> bytes:
        path = f"/{self._alias}/_search?allow_partial_search_results=false"
        return await self._client.ask("POST", path, {"query": self._own(query), **body}, most=most)

    def _own(self, query: Asked) -> Asked:
        return both({"term": {OWNER: self._tenant}}, query)
