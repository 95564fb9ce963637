"""A tenant that is deleted while its events are being indexed: its index does not come back, whatever was under way."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest

from streams.control_log import ControlEvent, ControlLog, Projection
from streams.errors import IndexMissing
from streams.event_log import TENANT_LOG, Batch, NewRecord
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import Backlogs
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.scope import TenantScope
from streams.search_index import Entry, Generation, Written
from streams.segment import Encoded, segments

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")


class Deleting(TantivyIndex, Projection):
    """An index whose tenant acme is deleted at a moment, by another task, while something is under way."""

    control: ControlLog
    processor: IndexProcessor
    when: str = ""
    deleted: bool = False

    def apply(self, key: str, event: ControlEvent) -> None:
        self.deleted |= (key, event.type) == ("acme", "tenant_deleted")

    async def delete(self, when: str) -> None:
        """As an operator's command does: first in the control log, then the index."""
        if self.when == when and not self.deleted:

            async def decide() -> Sequence[ControlEvent]:
                return [ControlEvent(type="tenant_deleted", at=time.time_ns() // 1_000_000, by="test")]

            await self.control.commit("acme", decide)
            if when != "swap":  # by then it is this process's own, and waits
                await self.drop(ACME)

    async def prepare(self, scope: TenantScope, *, pooled: bool = False) -> bool:
        await self.delete("prepare")
        return await super().prepare(scope, pooled=pooled)

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        await self.delete("write")
        return await super().write(entries)

    def rebuild(self, scope: TenantScope, *, pooled: bool | None = None) -> AbstractAsyncContextManager[Generation]:
        return self._deleting(super().rebuild(scope, pooled=pooled))

    @asynccontextmanager
    async def _deleting(self, rebuilding: AbstractAsyncContextManager[Generation]) -> AsyncIterator[Generation]:
        await self.delete("begin")
        async with rebuilding as generation:
            yield generation
            await self.delete("swap")


@asynccontextmanager
async def process(directory: Path) -> AsyncIterator[tuple[SqliteEventLog, Deleting, Backlogs, CatchUp]]:
    log, index, backlogs = SqliteEventLog(directory / "log.sqlite"), Deleting(directory / "index"), Backlogs()
    index.control = ControlLog(log, (backlogs, index))
    backlogs.attach(index.control)
    await index.control.start()
    index.processor = IndexProcessor(log, index, backlogs, exists=lambda tenant: not (tenant == "acme" and index.deleted))
    yield log, index, backlogs, CatchUp(log, index, index.processor, backlogs)
    await index.control.stop()
    await index.close()
    await log.close()


def segment(scope: TenantScope, event_id: str) -> Sequence[NewRecord]:
    document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": event_id, "event.action": "login", "idp": {}}
    return segments(scope, [Encoded(event_id, 1_795_000_000_000, json.dumps(document).encode())])


async def next_batch(log: SqliteEventLog, start: int, *records: NewRecord) -> Batch:
    stored = await log.append(records)
    return Batch(TENANT_LOG, 0, "index", start, stored[-1].offset + 1, stored)


@pytest.mark.parametrize("when", ["prepare", "write"])
async def test_while_its_events_are_written(tmp_path: Path, when: str) -> None:
    async with process(tmp_path) as (log, index, backlogs, catch_up):
        index.when = when
        if when == "write":
            await index.prepare(ACME)
        await index.processor.process(await next_batch(log, 0, *segment(ACME, "a1"), *segment(GLOBEX, "g1")))
        assert index.deleted
        for backlog in backlogs.all():
            await catch_up.catch_up(backlog)
        assert backlogs.of("acme") is None
        with pytest.raises(IndexMissing):
            await index.refresh(ACME)
        await index.refresh(GLOBEX)


@pytest.mark.parametrize("when", ["begin", "swap"])
async def test_while_its_index_is_built_anew(tmp_path: Path, when: str) -> None:
    async with process(tmp_path) as (log, index, backlogs, catch_up):
        await index.processor.process(await next_batch(log, 0, *segment(ACME, "a1")))
        index.when = when
        with suppress(IndexMissing):
            await catch_up.rebuild(ACME)
        assert index.deleted
        assert backlogs.of("acme") is None
        with pytest.raises(IndexMissing):
            await index.refresh(ACME)


async def test_a_backlog_that_is_opened_too_late_is_none(tmp_path: Path) -> None:
    async with process(tmp_path) as (_, index, backlogs, catch_up):
        await backlogs.open(["acme"], 0, 0)
        [found] = backlogs.all()
        index.when = "write"
        await index.delete("write")
        await backlogs.open(["acme", "globex"], 0, 0)
        assert [backlog.tenant for backlog in backlogs.all()] == ["globex"]
        assert await catch_up.catch_up(found)
        with pytest.raises(IndexMissing):
            await index.refresh(ACME)
