"""The index processor: an index that was lost, or half-built, or is of another age, comes back by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.errors import IndexMissing
from streams.event_log import TENANT_LOG, Batch, NewRecord, Record
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import Backlogs
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.query.tree import MatchAll
from streams.scope import TenantScope
from streams.segment import Encoded, segments

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")
TIME = 1_795_000_000_000


def encoded(event_id: str, **more: object) -> Encoded:
    document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": event_id, "event.action": "login", "idp": {}, **more}
    return Encoded(event_id, TIME, json.dumps(document).encode())


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    opened = SqliteEventLog(tmp_path / "log.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[TantivyIndex]:
    opened = TantivyIndex(tmp_path / "index")
    yield opened
    await opened.close()


@asynccontextmanager
async def process(log: SqliteEventLog, index: TantivyIndex) -> AsyncIterator[tuple[IndexProcessor, CatchUp, Backlogs]]:
    """What a process has that indexes; nothing of it runs by itself."""
    backlogs = Backlogs()
    control = ControlLog(log, (backlogs,))
    backlogs.attach(control)
    await control.start()
    processor = IndexProcessor(log, index, backlogs)
    yield processor, CatchUp(log, index, processor, backlogs), backlogs
    await control.stop()


async def appended(log: SqliteEventLog, *records: NewRecord) -> Batch:
    stored = await log.append(records)
    end = stored[-1].offset + 1
    return Batch(TENANT_LOG, 0, "index", end - 1 - len(stored), end, stored)  # offsets begin with 1, cursors with 0


async def ids(index: TantivyIndex, scope: TenantScope) -> list[str]:
    hits = await index.tail(scope, MatchAll(), after=-1, upto=1 << 62, limit=100)
    return [json.loads(hit.document)["event.id"] for hit in hits]


async def test_each_tenant_gets_its_own_and_twice_changes_nothing(log: SqliteEventLog, index: TantivyIndex) -> None:
    processor = IndexProcessor(log, index, Backlogs())
    batch = await appended(log, *segments(ACME, [encoded("a1"), encoded("a2")]), *segments(GLOBEX, [encoded("g1")]))
    for _ in range(2):
        assert await processor.process(batch) == []
    assert await ids(index, ACME) == ["a1", "a2"]
    assert await ids(index, GLOBEX) == ["g1"]


async def test_an_index_that_was_lost_is_filled_from_the_log(log: SqliteEventLog, index: TantivyIndex) -> None:
    await IndexProcessor(log, index, Backlogs()).process(await appended(log, *segments(ACME, [encoded("a1"), encoded("a2")])))
    await index.drop(ACME)
    async with process(log, index) as (processor, catch_up, _):
        assert not await processor.prepare(ACME)
        await catch_up.rebuild(ACME)
        assert await processor.prepare(ACME)
    assert await ids(index, ACME) == ["a1", "a2"]


async def test_a_tenant_whose_index_is_being_made_is_nothing_to_warn_of(log: SqliteEventLog, index: TantivyIndex) -> None:
    first = await appended(log, *segments(GLOBEX, [encoded("g1")]))
    async with process(log, index) as (processor, _, backlogs):
        await processor.process(first)
        with capture_logs() as logged:
            await processor.process(await appended(log, *segments(ACME, [encoded("a1")])))
        assert [one["log_level"] for one in logged if one["event"] == "index_behind" and one["tenant"] == "acme"] == ["info"]
        assert backlogs.of("acme") is not None


async def test_a_rebuild_that_was_cut_off_begins_again(log: SqliteEventLog, index: TantivyIndex) -> None:
    await appended(log, *segments(ACME, [encoded("a1")]))

    def cut(_: int) -> None:
        raise InterruptedError

    async with process(log, index) as (processor, catch_up, _):
        with pytest.raises(InterruptedError):
            await catch_up.rebuild(ACME, cut)
        with pytest.raises(IndexMissing):
            await index.refresh(ACME)
        assert not await processor.prepare(ACME)
        await catch_up.rebuild(ACME)
    assert await ids(index, ACME) == ["a1"]


async def test_an_index_of_another_schema_is_built_anew(log: SqliteEventLog, index: TantivyIndex, tmp_path: Path) -> None:
    await IndexProcessor(log, index, Backlogs()).process(await appended(log, *segments(ACME, [encoded("a1")])))
    await index.close()
    pointer = tmp_path / "index" / "acme" / "CURRENT"
    pointer.write_text(pointer.read_text().partition(" ")[0] + " of-another-age")
    upgraded = TantivyIndex(tmp_path / "index")
    async with process(log, upgraded) as (processor, catch_up, _):
        assert not await processor.prepare(ACME)
        await catch_up.rebuild(ACME)
    assert await ids(upgraded, ACME) == ["a1"]
    await upgraded.close()


async def test_a_deleted_tenants_events_are_passed_over(log: SqliteEventLog, index: TantivyIndex) -> None:
    processor = IndexProcessor(log, index, Backlogs(), exists=lambda tenant: tenant != "acme")
    await processor.process(await appended(log, *segments(ACME, [encoded("a1")]), *segments(GLOBEX, [encoded("g1")])))
    with pytest.raises(IndexMissing):
        await index.refresh(ACME)
    assert await ids(index, GLOBEX) == ["g1"]


async def test_a_tenant_that_another_process_has_just_created_is_not_passed_over(log: SqliteEventLog, index: TantivyIndex) -> None:
    tenants, backlogs = Tenants(), Backlogs()
    here, elsewhere = ControlLog(log, (tenants, backlogs)), ControlLog(log, ())
    backlogs.attach(here)
    processor = IndexProcessor(log, index, backlogs, exists=tenants.exists)

    async def created() -> Sequence[ControlEvent]:
        return [ControlEvent(type="tenant_created", at=TIME, by="test", data={"display_name": "Acme", "issuer": None})]

    await here.start()
    await elsewhere.start()
    batch = await appended(log, *segments(ACME, [encoded("a1")]))  # first, so that nothing is awaited in between
    await elsewhere.commit("acme", created)
    await processor.process(batch)
    assert await ids(index, ACME) == ["a1"]
    for control in (here, elsewhere):
        await control.stop()


class Slow(SqliteEventLog):
    """A log that takes its time to find a tenant's events, as Kafka does for one whose first is at the end of a long partition."""

    found: asyncio.Event | None = None

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        if key is not None and self.found is not None:
            await self.found.wait()
        return await super().read(stream, key=key, partition=partition, start=start, limit=limit)


async def test_a_new_tenant_whose_events_are_faster_than_its_index_delays_nobody(tmp_path: Path, index: TantivyIndex) -> None:
    log = Slow(tmp_path / "slow.sqlite")
    async with process(log, index) as (processor, catch_up, backlogs):
        await processor.process(await appended(log, *segments(GLOBEX, [encoded("g1")])))
        log.found = asyncio.Event()
        await processor.process(await appended(log, *segments(ACME, [encoded("a1")]), *segments(GLOBEX, [encoded("g2")])))
        assert await ids(index, GLOBEX) == ["g1", "g2"]
        [backlog] = backlogs.all()
        assert backlog.tenant == "acme"
        catching_up = asyncio.create_task(catch_up.catch_up(backlog))
        await processor.prepare(ACME, new=True)  # as who registers it is about to
        log.found.set()
        assert await catching_up
    assert await ids(index, ACME) == ["a1"]
    await log.close()


async def test_what_can_never_be_indexed_is_a_dead_letter_and_the_others_arrive(log: SqliteEventLog, index: TantivyIndex) -> None:
    batch = await appended(log, *segments(ACME, [encoded("a1"), encoded("a2")]), NewRecord(TENANT_LOG, b"no segment", "globex"))
    processor = IndexProcessor(log, index, Backlogs())
    [letter] = await processor.process(batch)
    assert letter.headers["reason"] == "unreadable_segment"
    [letter] = await processor.process(await appended(log, *segments(ACME, [Encoded("odd", TIME, b"no JSON"), encoded("a3")])))
    assert (letter.headers["reason"], letter.value) == ("index_rejected", b"no JSON")
    assert await ids(index, ACME) == ["a1", "a2", "a3"]
