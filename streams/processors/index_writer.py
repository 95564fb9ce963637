"""The index writer: hands tenants' entries to the search index, and accounts for what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from streams.dead_letters import Reason
from streams.event_log import NewRecord
from streams.grouped import Grouped
from streams.metrics import DEAD_LETTERS_TOTAL, EVENTS_INDEXED, INDEX_WRITE_SECONDS
from streams.raw_event import RawEvent, dead_letter
from streams.scope import TenantScope
from streams.search_index import Entry, SearchIndex, Written

_log = structlog.get_logger(__name__)
_FEW: Final = 1_000
"""Events up to which a batch may share a write with others."""
_MOST_TOGETHER: Final = 16
_TOGETHER_SECONDS: Final = 0.005
"""How long the first of them waits for the others, which come one after another at the same tick of the processor's pace."""

_Parts = Mapping[TenantScope, Sequence[Entry]]


class IndexWriter:
    """Writes through one search index.

    At a steady rate the batches of all partitions are small and come at the same time. Written together they cost the engine one request
    where they were one each, and, done at the same time, they share the commit of their cursors.
    """

    def __init__(self, index: SearchIndex, pooled: Callable[[str], bool]) -> None:
        """`pooled` says whether a tenant is registered as sharing an index."""
        self._index = index
        self._pooled = pooled
        self._together = Grouped(self._write_together, most=_MOST_TOGETHER, seconds=_TOGETHER_SECONDS)

    async def write(
        self, tenants: _Parts, arrived: int, *, together: bool = False
    ) -> tuple[Mapping[TenantScope, Written], list[NewRecord]]:
        """What became of the entries, and dead letters for those that never can be written.

        Args:
            tenants: the entries of each.
            arrived: when they came into the log, in epoch milliseconds.
            together: with others that are written now, if there are few of them. Not for a tenant in trouble, for which they would wait.

        Raises:
            IndexUnavailable: the engine as a whole is away.
        """
        if not tenants:
            return {}, []
        few = together and sum(map(len, tenants.values())) <= _FEW
        with INDEX_WRITE_SECONDS.time():
            results = await (self._together.ask(tenants) if few else self._index.write(tenants))
        letters: list[NewRecord] = []
        counts: Counter[tuple[str, str]] = Counter()
        for scope, written in results.items():
            isolation = "pooled" if self._pooled(scope.tenant) else "separate"
            counts.update({("indexed", isolation): written.indexed, ("duplicate", isolation): written.duplicates})
            for rejected in written.rejected:
                _log.warning("event_rejected", tenant=scope.tenant, position=rejected.entry.position, reason=rejected.reason)
                raw = RawEvent(rejected.entry.document, rejected.entry.event_id, arrived, tenant=scope.tenant)
                letters.append(dead_letter(raw, Reason.INDEX_REJECTED, rejected.reason))
        DEAD_LETTERS_TOTAL.labels(Reason.INDEX_REJECTED).inc(len(letters))
        for labels, count in counts.items():  # not for each tenant: finding its counter costs as much as an event
            EVENTS_INDEXED.labels(*labels).inc(count)
        return results, letters

    async def _write_together(self, parts: Sequence[_Parts]) -> Sequence[Mapping[TenantScope, Written]]:
        whole: dict[TenantScope, Sequence[Entry]] = {}
        for part in parts:
            whole |= part
        if len(whole) < sum(map(len, parts)):  # a tenant in two partitions, which is nobody's doing but a stranger's
            return [await self._index.write(part) for part in parts]
        written = await self._index.write(whole)
        return [{scope: written[scope] for scope in part} for part in parts]
