"""What is counted of one tenant's events: the most frequent values of fields, and how many there are over time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from streams.errors import QueryError
from streams.fields import BY_NAME
from streams.index_opensearch.schema import ADDRESSES, COUNTABLE, TIME
from streams.search_index import FAILURE, OUTCOME, Histogram, Values

MAX_BUCKETS: Final = 10_000


class _Bucket(msgspec.Struct, gc=False):
    key: str | float
    doc_count: int


class _Times(msgspec.Struct, gc=False):
    buckets: list[_Bucket] = []


class _Found(msgspec.Struct, gc=False):
    """What an aggregation answers, whatever it is."""

    buckets: list[_Bucket] = []
    sum_other_doc_count: int = 0
    value: float | None = None
    times: _Times = msgspec.field(default_factory=_Times)

    def counts(self) -> list[tuple[str, int]]:
        """Each value with its count."""
        return [(str(bucket.key), bucket.doc_count) for bucket in self.buckets]

    def cut(self, size: int) -> bool:
        """Whether a value may be missing that is as frequent as the last of so many."""
        return bool(self.sum_other_doc_count) and self.buckets[-1].doc_count >= self.buckets[size - 1].doc_count


class _Total(msgspec.Struct, gc=False):
    value: int


class _Counted(msgspec.Struct, gc=False):
    total: _Total


class Summary(msgspec.Struct, gc=False):
    """What was counted of the events that a query finds."""

    hits: _Counted
    aggregations: dict[str, _Found] = {}


Ask = Callable[[dict[str, Any]], Awaitable[Summary]]
"""Has these aggregations made over what a query finds."""


async def top_values(ask: Ask, fields: Sequence[str], size: int) -> Values:
    """The most frequent values, exactly: there is one shard."""
    for field in fields:
        if field not in COUNTABLE:
            known = f"`{field}` is not counted" if field in BY_NAME else f"unknown field `{field[:60]}`"
            raise QueryError(known, hint=f"count one of {', '.join(COUNTABLE)}")
    size = max(0, min(size, MAX_BUCKETS))
    times = {"first": {"min": {"field": TIME}}, "last": {"max": {"field": TIME}}}
    # Addresses of equal count come in the order of the addresses, not of their texts: all of the last count are needed.
    asked = {field: min(max(500, 4 * size), MAX_BUCKETS) if field in ADDRESSES else max(1, size) for field in fields}
    answer = await ask(times | _terms(asked))
    found = answer.aggregations
    cut = [field for field in ADDRESSES if field in asked and size and asked[field] < MAX_BUCKETS and found[field].cut(size)]
    if cut:
        found |= (await ask(_terms(dict.fromkeys(cut, MAX_BUCKETS)))).aggregations
    buckets = {field: sorted(found[field].counts(), key=lambda one: (-one[1], one[0]))[:size] for field in fields}
    return Values(answer.hits.total.value, int(found["first"].value or 0), int(found["last"].value or 0), buckets)


async def histogram(ask: Ask, *, interval: int, offset: int) -> Histogram:
    """Events per interval. Bounds are computed in floating point, which is exact for whole milliseconds below 2^53."""
    if interval <= 0:
        raise QueryError("the interval must be positive")
    times = {"histogram": {"field": TIME, "interval": interval, "offset": offset % interval, "min_doc_count": 1}}
    failures = {"filter": {"term": {OUTCOME: FAILURE}}, "aggs": {"times": times}}
    summary = await ask({"times": times, "failures": failures})
    buckets = [(int(bucket.key), bucket.doc_count) for bucket in summary.aggregations["times"].buckets]
    if len(buckets) > MAX_BUCKETS:
        raise too_many_buckets()
    failed = {int(bucket.key): bucket.doc_count for bucket in summary.aggregations["failures"].times.buckets}
    return Histogram(summary.hits.total.value, buckets, failed)


def _terms(sizes: Mapping[str, int]) -> dict[str, Any]:
    order = [{"_count": "desc"}, {"_key": "asc"}]
    return {field: {"terms": {"field": field, "size": size, "order": order}} for field, size in sizes.items()}


def too_many_buckets() -> QueryError:
    """The histogram would be too long."""
    return QueryError(f"more than {MAX_BUCKETS} intervals have events", hint="ask for a longer interval or a shorter time")
