"""What can be asked of an opened index. All of it blocks, and lets other threads run meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import tantivy
from tantivy import Order, Searcher

from streams.errors import QueryError
from streams.fields import BY_NAME
from streams.index_tantivy.opened import SCHEMA, count
from streams.index_tantivy.schema import COUNTED, POSITION, SOURCE, TIME
from streams.index_tantivy.translate import Translator, both
from streams.search_index import FAILURE, MAX_PAGE_BYTES, OUTCOME, Histogram, Hit, Place, Sort, Values

MAX_BUCKETS: Final = 10_000
_MAX_VALUES: Final = 60_000
"""Of each segment; tantivy refuses more than 65,000. Beyond these many distinct values, counts may be too low."""

_OUTCOMES: Final = 100
"""More than there are."""

_numbers = Translator(SCHEMA).numbers

_Address = tuple[int, int, tantivy.DocAddress]  # time, position, where


def search(searcher: Searcher, query: tantivy.Query, *, sort: Sort, limit: int, after: Place | None) -> list[Hit]:
    """A page, ordered by time and position.

    tantivy sorts by one field only. So events of one time are asked for apart, by position: those of the time at which the last
    page ended, and those of the time at which this one ends. Between the two, all events of a time are found together.
    """
    if limit <= 0:
        return []
    pager = _Pager(searcher, newest=sort == "newest")
    found: list[_Address] = []
    if after is not None:
        found = pager.at_time(query, after.time, limit, beyond=after.position)
        query = both(query, pager.behind(TIME, after.time))
    if len(found) < limit:
        found += pager.by_time(query, limit - len(found))
    return hits(searcher, found)


def tail(searcher: Searcher, query: tantivy.Query, *, after: int, upto: int, limit: int) -> list[Hit]:
    """The first events with positions in `(after, upto]`."""
    if limit <= 0 or upto <= after:
        return []
    pager = _Pager(searcher, newest=False)
    return hits(searcher, pager.by_position(both(query, _numbers(POSITION, after + 1, upto)), limit))


class _Pager:
    def __init__(self, searcher: Searcher, *, newest: bool) -> None:
        self._searcher = searcher
        self._newest = newest
        self._order = Order.Desc if newest else Order.Asc

    def behind(self, field: str, value: int) -> tantivy.Query:
        """Strictly behind `value` in this order."""
        return _numbers(field, None, value - 1) if self._newest else _numbers(field, value + 1, None)

    def by_position(self, query: tantivy.Query, limit: int) -> list[_Address]:
        result = self._searcher.search(query, limit=limit, count=False, order_by_field=POSITION, order=self._order)
        return self._known([address for _, address in result.hits])

    def at_time(self, query: tantivy.Query, time: int, limit: int, *, beyond: int | None = None) -> list[_Address]:
        at = both(query, _numbers(TIME, time, time))
        return self.by_position(at if beyond is None else both(at, self.behind(POSITION, beyond)), limit)

    def by_time(self, query: tantivy.Query, limit: int) -> list[_Address]:
        result = self._searcher.search(query, limit=limit, count=False, order_by_field=TIME, order=self._order)
        found = result.hits
        if len(found) < limit:
            return self._in_order([address for _, address in found])
        last = found[-1][0]
        whole = self._in_order([address for time, address in found if time != last])
        return whole + self.at_time(query, last, limit - len(whole))

    def _known(self, addresses: list[tantivy.DocAddress]) -> list[_Address]:
        """With their times and positions."""
        if not addresses:
            return []
        times: list[Any] = self._searcher.fast_field_values(TIME, addresses)
        positions: list[Any] = self._searcher.fast_field_values(POSITION, addresses)
        return list(zip(times, positions, addresses, strict=True))

    def _in_order(self, addresses: list[tantivy.DocAddress]) -> list[_Address]:
        """With their times and positions, by time and then position."""
        return sorted(self._known(addresses), key=lambda found: found[:2], reverse=self._newest)


def hits(searcher: Searcher, found: Sequence[_Address]) -> list[Hit]:
    """With their documents, until the page is full."""
    answer: list[Hit] = []
    room = MAX_PAGE_BYTES
    for time, position, address in found:
        answer.append(hit := Hit(position, time, bytes(searcher.doc(address)[SOURCE][0])))
        room -= len(hit.document)
        if room <= 0:
            break
    return answer


def first(searcher: Searcher, query: tantivy.Query) -> Hit | None:
    """One event that the query finds."""
    found = search(searcher, query, sort="oldest", limit=1, after=None)
    return found[0] if found else None


def top_values(searcher: Searcher, query: tantivy.Query, fields: Sequence[str], size: int) -> Values:
    """The most frequent values, exactly: asks for more unless the last count asked for is lower than the last one shown.

    Only among more than 10,000 values of equal count, the first of the order are not sure to be found.
    """
    for field in fields:
        if field not in COUNTED:
            known = f"`{field}` is not counted" if field in BY_NAME else f"unknown field `{field[:60]}`"
            raise QueryError(known, hint=f"count one of {', '.join(COUNTED)}")
    size = min(size, MAX_BUCKETS)
    asked = min(max(500, 4 * size), MAX_BUCKETS)
    answer = _aggregated(searcher, query, {"times": {"stats": {"field": TIME}}} | _terms(fields, asked))
    total = int(answer["times"]["count"])
    buckets: dict[str, Sequence[tuple[str, int]]] = {field: [] for field in fields}
    if not total:
        return Values(0, 0, 0, buckets)
    first, last = int(answer["times"]["min"]), int(answer["times"]["max"])
    left = fields if size > 0 else ()
    while left:
        cut = []
        for field in left:
            found = [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in answer[field]["buckets"]]
            if asked < MAX_BUCKETS and answer[field].get("sum_other_doc_count") and found[-1][1] >= found[size - 1][1]:
                cut.append(field)
            found.sort(key=lambda bucket: (-bucket[1], bucket[0]))
            buckets[field] = found[:size]
        asked, left = MAX_BUCKETS, cut
        if cut:
            answer = _aggregated(searcher, query, _terms(cut, asked))
    return Values(total, first, last, buckets)


def histogram(searcher: Searcher, query: tantivy.Query, *, interval: int, offset: int) -> Histogram:
    """Events per interval. Bounds are computed in floating point by tantivy, which is exact for whole milliseconds below 2^53."""
    if interval <= 0:
        raise QueryError("the interval must be positive")
    too_many = QueryError(f"more than {MAX_BUCKETS} intervals have events", hint="ask for a longer interval or a shorter time")
    times = {"histogram": {"field": TIME, "interval": interval, "offset": offset % interval, "min_doc_count": 1}}
    # By outcome, of which there are three: no dearer than all together, and half as dear as the failures in a search of their own.
    outcomes = {"terms": {"field": COUNTED[OUTCOME], "size": _OUTCOMES, "missing": "unknown"}, "aggs": {"times": times}}
    try:
        answer = _aggregated(searcher, query, {"outcomes": outcomes})
    except ValueError as error:
        if "bucket" in str(error).lower():
            raise too_many from None
        raise
    counts: Counter[int] = Counter()
    failures: dict[int, int] = {}
    for outcome in answer["outcomes"]["buckets"]:
        found = {int(bucket["key"]): int(bucket["doc_count"]) for bucket in outcome["times"]["buckets"] if bucket["doc_count"]}
        counts.update(found)
        if outcome["key"] == FAILURE:
            failures = found
    if len(counts) > MAX_BUCKETS:
        raise too_many
    return Histogram(counts.total(), sorted(counts.items()), failures)


def _terms(fields: Sequence[str], size: int) -> dict[str, Any]:
    # A segment's own list must not be cut, or a value that is frequent over all segments but in none would be missed.
    return {field: {"terms": {"field": COUNTED[field], "size": size, "segment_size": _MAX_VALUES}} for field in fields}


def _aggregated(searcher: Searcher, query: tantivy.Query, aggregations: dict[str, Any]) -> Any:
    return searcher.aggregate(query, aggregations)


def in_ranges(searcher: Searcher, ranges: Sequence[tuple[int, int]]) -> int:
    """How many events have their position in one of the ranges."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif start <= end:
            merged.append((start, end))
    return sum(count(searcher, _numbers(POSITION, start, end)) for start, end in merged)
