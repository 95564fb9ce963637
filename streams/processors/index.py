"""The index processor: writes each tenant's events into that tenant's index."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import ClassVar

import structlog

from streams.dead_letters import Reason
from streams.errors import IndexMissing, SegmentError
from streams.event_log import TENANT_LOG, Batch, EventLog, NewRecord, Record
from streams.metrics import EVENTS_INDEXED, INDEX_WRITE_SECONDS
from streams.position import last_before
from streams.processors.processor import Processor
from streams.raw_event import RawEvent, dead_letter
from streams.replay import replay
from streams.scope import TenantScope
from streams.search_index import Entry, SearchIndex
from streams.segment import entries

_log = structlog.get_logger(__name__)


class IndexProcessor(Processor):
    """Keeps the search indexes up to the tenant log. Writing twice changes nothing: the first write of an event wins."""

    name: ClassVar[str] = "index"
    stream: ClassVar[str] = TENANT_LOG

    def __init__(self, log: EventLog, index: SearchIndex, *, exists: Callable[[str], bool] = lambda _: True) -> None:
        """`exists` says whether a tenant is still there: the events of a deleted one are passed over."""
        self._log = log
        self._index = index
        self._exists = exists
        self._prepared: set[str] = set()
        self._preparing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """Writes the batch, all tenants together."""
        letters: list[NewRecord] = []
        tenants: dict[TenantScope, list[Entry]] = defaultdict(list)
        records: dict[int, Record] = {}
        for record in batch.records:
            records[record.offset] = record
            if record.key is None or not self._exists(record.key):
                continue
            try:
                tenants[TenantScope(record.key)] += entries(record)
            except SegmentError as error:
                letters.append(_unreadable(record, str(error)))
            await asyncio.sleep(0)  # a segment is decoded in a millisecond, a whole batch is not
        for scope in tenants:
            await self.prepare(scope, batch.start)
        with INDEX_WRITE_SECONDS.time():
            results = await self._index.write(tenants)
        for scope, written in results.items():
            EVENTS_INDEXED.labels("indexed").inc(written.indexed)
            EVENTS_INDEXED.labels("duplicate").inc(written.duplicates)
            for rejected in written.rejected:
                _log.warning("event_rejected", tenant=scope.tenant, position=rejected.entry.position, reason=rejected.reason)
                letters.append(_rejected(scope, rejected.entry, rejected.reason, batch))
        return letters

    async def prepare(self, scope: TenantScope, end: int | None = None) -> None:
        """Makes sure that the tenant has an index; one that was lost is built again from the log.

        Args:
            scope: the tenant.
            end: the log before this offset has been passed already, and so must be replayed into a new index; None: all of it.
        """
        if scope.tenant in self._prepared:
            return
        async with self._preparing[scope.tenant]:
            try:
                await self._index.refresh(scope)
            except IndexMissing:
                first = await self._log.read(TENANT_LOG, key=scope.tenant, limit=1)
                if first and (end is None or first[0].offset < end):
                    # Not prepared first: an empty index that a crash leaves behind would pass for a whole one.
                    await self.rebuild(scope)
                else:
                    await self._index.prepare(scope)
            self._prepared.add(scope.tenant)

    async def rebuild(self, scope: TenantScope, progress: Callable[[int], None] = lambda _: None) -> int:
        """Builds the tenant's index anew from the log, while the old one goes on answering; how many events it has.

        Args:
            scope: the tenant.
            progress: is told how many events are done.
        """
        return await replay(self._log, self._index, scope, progress)

    async def drop(self, scope: TenantScope) -> None:
        """Removes the tenant's index for good."""
        self._prepared.discard(scope.tenant)
        await self._index.drop(scope)

    async def indexed_up_to(self, scope: TenantScope) -> int:
        """The position up to which all of the tenant's events can be found."""
        partition = await self._log.partition_of(TENANT_LOG, scope.tenant)
        return last_before((await self._log.cursors(TENANT_LOG, self.name)).get(partition, 0))


def _unreadable(record: Record, message: str) -> NewRecord:
    identity = f"{record.stream}-{record.partition}-{record.offset}"
    return dead_letter(RawEvent(record.value, identity, record.time, tenant=record.key), Reason.UNREADABLE_SEGMENT, message)


def _rejected(scope: TenantScope, entry: Entry, reason: str, batch: Batch) -> NewRecord:
    raw = RawEvent(entry.document, entry.event_id, batch.records[0].time, tenant=scope.tenant)
    return dead_letter(raw, Reason.INDEX_REJECTED, reason)
