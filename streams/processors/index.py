"""The index processor: writes each tenant's events into that tenant's index."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import ClassVar, Final

import structlog

from streams.dead_letters import Reason
from streams.errors import IndexMissing, IndexUnavailable, SegmentError
from streams.event_log import TENANT_LOG, Batch, EventLog, NewRecord, Record
from streams.position import last_before
from streams.processors.backlog import Backlogs
from streams.processors.bursts import take_bursts
from streams.processors.index_writer import IndexWriter
from streams.processors.processor import Processor
from streams.raw_event import RawEvent, dead_letter
from streams.scope import TenantScope
from streams.search_index import Entry, SearchIndex
from streams.segment import entries

_log = structlog.get_logger(__name__)
_TURN_BYTES: Final = 500_000
"""Of segments that are decoded before others on the event loop get a turn: less than a millisecond."""


class IndexProcessor(Processor):
    """Keeps the search indexes up to the tenant log. Writing twice changes nothing: the first write of an event wins.

    A tenant whose index can't be written gets a backlog (`streams.processors.backlog`), and the others go on. When the engine as a whole is
    away, all wait.

    Attributes:
        opened_here: the tenants whose backlogs this process has opened.
        opened: is set when it opens one.
    """

    name: ClassVar[str] = "index"
    stream: ClassVar[str] = TENANT_LOG
    batch_bytes: ClassVar[int] = 12 << 20
    pace: ClassVar[float] = 0.2
    at_once: ClassVar[int] = 16

    def __init__(
        self,
        log: EventLog,
        index: SearchIndex,
        backlogs: Backlogs,
        *,
        exists: Callable[[str], bool] = lambda _: True,
        pooled: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`exists` says whether a tenant is still there: a deleted one's events are passed over; `pooled`, whether it shares an index."""
        self._log = log
        self._index = index
        self._backlogs = backlogs
        self._writer = IndexWriter(index, pooled)
        self._exists, self._pooled = exists, pooled
        self._prepared: set[str] = set()
        self._preparing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.opened_here: set[str] = set()
        self.opened = asyncio.Event()

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """Writes the batch, all tenants together."""
        letters: list[NewRecord] = []
        tenants: dict[TenantScope, list[Entry]] = defaultdict(list)
        passed_over = await self._passed_over()
        if not all(record.key is None or self._exists(record.key) for record in batch.records):
            await self._backlogs.current()  # who is not known may be new: a tenant is in the control log before its events are anywhere
        read = 0
        for record in batch.records:
            if record.key is None or record.key in passed_over or not self._exists(record.key):
                continue
            try:
                tenants[TenantScope(record.key)] += entries(record)
            except SegmentError as error:
                letters.append(_unreadable(record, str(error)))
            read += len(record.value)
            if read >= _TURN_BYTES:
                read = 0
                await asyncio.sleep(0)
        behind = take_bursts(tenants)
        behind |= await self._missing(tenants, batch.start)
        written, refused = await self._writer.write(tenants, batch.records[0].time, together=True)
        letters += refused
        behind |= {scope: one.trouble for scope, one in written.items() if one.deferred}
        if behind:
            await self._open(behind, batch)
        return letters

    async def prepare(self, scope: TenantScope, *, new: bool = False) -> bool:
        """Makes sure that the tenant has an index. False if it was lost: it gets a backlog, so that `CatchUp` builds one anew.

        A `new` tenant has no events, so the log need not be searched for them.
        """
        async with self._preparing[scope.tenant]:
            try:
                await self._index.check(scope)
            except IndexMissing:
                if (found := self._backlogs.of(scope.tenant)) is not None and found.builder:
                    return False
                if not new and await self._log.read(TENANT_LOG, key=scope.tenant, limit=1):
                    # Not prepared first: an empty index that a crash leaves behind would pass for a whole one.
                    await self.fall_behind(scope)
                    return False
                await self._make(scope)
            self._prepared.add(scope.tenant)
            return True

    async def fall_behind(self, scope: TenantScope) -> None:
        """Gives the tenant a backlog from the processor's cursor on: what comes from now on is read again."""
        partition = await self._log.partition_of(TENANT_LOG, scope.tenant)
        cursor = (await self._log.cursors(TENANT_LOG, self.name)).get(partition, 0)
        await self._backlogs.open([scope.tenant], partition, cursor)
        self.opened_here.add(scope.tenant)
        self.opened.set()

    async def gone(self, scope: TenantScope) -> bool:
        """Whether the tenant is deleted. Its index goes, too: whoever has just made it may have been slower than the deletion."""
        # A deletion that is not in the control log yet takes away afterwards what is there now.
        await self._backlogs.current()
        if self._exists(scope.tenant):
            return False
        await self.drop(scope)
        return True

    @property
    def behind(self) -> int:
        """How many tenants have a backlog."""
        return len(self._backlogs.all())

    def exists(self, scope: TenantScope) -> bool:
        """Whether the tenant is still there, as far as this process has heard."""
        return self._exists(scope.tenant)

    def pooled(self, scope: TenantScope) -> bool:
        """Whether the tenant is registered as sharing an index."""
        return self._pooled(scope.tenant)

    async def check(self, scope: TenantScope) -> None:
        """As `SearchIndex.check`."""
        await self._index.check(scope)

    async def index(self, scope: TenantScope, records: Sequence[Record]) -> bool:
        """Writes segments of one tenant that the processor has passed over; whether all of them are in the index.

        What a busy engine defers is written again as long as it takes some: the others don't wait for it.
        """
        left: Sequence[Entry] = [entry for record in records for entry in _readable(record)]
        while left:
            results, letters = await self._writer.write({scope: left}, records[0].time)
            if letters:
                await self._log.append(letters)
            deferred = results[scope].deferred
            if len(deferred) == len(left):
                return False
            left = deferred
        return True

    async def drop(self, scope: TenantScope) -> None:
        """Removes the tenant's index for good."""
        self._prepared.discard(scope.tenant)
        await self._index.drop(scope)

    async def indexed_up_to(self, scope: TenantScope) -> int:
        """The position up to which all of the tenant's events can be found."""
        partition = await self._log.partition_of(TENANT_LOG, scope.tenant)
        cursor = (await self._log.cursors(TENANT_LOG, self.name)).get(partition, 0)
        # In this order: a backlog is in the control log before the cursor passes what it tells of.
        await self._backlogs.current()
        backlog = self._backlogs.of(scope.tenant)
        return last_before(cursor if backlog is None else min(cursor, backlog.offset))

    async def _passed_over(self) -> Container[str]:
        """The tenants with an open backlog."""
        if not self.behind:
            return ()
        # To see one closing is necessary before passing over what comes after it; see `streams.processors.backlog`.
        await self._backlogs.current()
        return {backlog.tenant for backlog in self._backlogs.all() if not backlog.closing}

    async def _open(self, behind: Mapping[TenantScope, str], batch: Batch) -> None:
        """Gives the tenants backlogs from the batch on."""
        for scope, why in behind.items():
            (_log.warning if why else _log.info)("index_behind", tenant=scope.tenant, offset=batch.start, why=why or "it has no index yet")
            self._prepared.discard(scope.tenant)
            self.opened_here.add(scope.tenant)
        await self._backlogs.open([scope.tenant for scope in behind], batch.partition, batch.start)
        self.opened.set()

    async def _missing(self, tenants: dict[TenantScope, list[Entry]], start: int) -> dict[TenantScope, str]:
        """Takes out tenants that have no index, as no trouble; where the partition begins, nothing was before, and they get one.

        Whether it was lost or they are new, `CatchUp` finds out, and warns: to look for a first event may mean to read a whole partition.
        """
        lost: dict[TenantScope, str] = {}
        for scope in [scope for scope in tenants if scope.tenant not in self._prepared]:
            try:
                await self._index.check(scope)
            except IndexMissing:
                if start > 0 or self._backlogs.of(scope.tenant) is not None:
                    lost[scope] = ""
                    del tenants[scope]
                    continue
                await self._make(scope)
            except IndexUnavailable:
                continue  # whether that is this tenant's trouble or everybody's, writing finds out
            self._prepared.add(scope.tenant)
        return lost

    async def _make(self, scope: TenantScope) -> None:
        await self._index.prepare(scope, pooled=self._pooled(scope.tenant))
        await self.gone(scope)


def _readable(record: Record) -> Sequence[Entry]:
    try:
        return entries(record)
    except SegmentError:  # a dead letter since the processor first saw it
        return ()


def _unreadable(record: Record, message: str) -> NewRecord:
    identity = f"{record.stream}-{record.partition}-{record.offset}"
    return dead_letter(RawEvent(record.value, identity, record.time, tenant=record.key), Reason.UNREADABLE_SEGMENT, message)
