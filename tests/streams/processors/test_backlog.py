"""Backlogs: a tenant whose index can't be written delays only itself, misses nothing, and nobody is told too early that it is whole."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from streams.control_log import ControlLog
from streams.errors import IndexMissing
from streams.event_log import CONTROL, TENANT_LOG
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import Backlogs
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.query.tree import MatchAll
from streams.runner import Runner
from streams.scope import TenantScope
from streams.search_index import Entry, Written
from streams.segment import Encoded, entries, segments

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")
TIME = 1_795_000_000_000


class Blocking(TantivyIndex):
    """Takes nothing for the blocked tenants, as OpenSearch does when their index is read-only, and few events at once of a busy one.

    (The fault tests do that for real.)
    """

    blocked: frozenset[TenantScope] = frozenset()
    few: int | None = None

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        blocked = self.blocked  # which may change meanwhile
        free = await super().write({scope: found[: self.few] for scope, found in entries.items() if scope not in blocked})
        held = {scope: Written(0, 0, (), found, "blocked") for scope, found in entries.items() if scope in blocked}
        if self.few is not None:
            free = {scope: replace(one, deferred=entries[scope][self.few :], trouble="busy") for scope, one in free.items()}
        return {**free, **held}


@dataclass
class Here:
    log: SqliteEventLog
    index: Blocking
    backlogs: Backlogs
    processor: IndexProcessor
    catch_up: CatchUp
    sent: int = 0

    async def send(self, count: int = 1) -> None:
        """Appends events of both tenants."""
        for scope in (ACME, GLOBEX):
            await self.log.append(segments(scope, [encoded(f"{scope.tenant}-{self.sent + n}") for n in range(count)]))
        self.sent += count

    async def ids(self, scope: TenantScope, upto: int = 1 << 62) -> list[str]:
        """The tenant's events in its index, if it has one."""
        try:
            hits = await self.index.tail(scope, MatchAll(), after=-1, upto=upto, limit=1000)
        except IndexMissing:
            return []
        return [json.loads(hit.document)["event.id"] for hit in hits]

    async def until_indexed(self, scope: TenantScope) -> None:
        """Returns when all that was sent is promised to be there."""
        async with asyncio.timeout(60), self.log.follow(TENANT_LOG, None, start=await self.log.ends(TENANT_LOG)) as waking:
            while len(await self.ids(scope, await self.processor.indexed_up_to(scope))) < self.sent:
                await waking.next(0.02)


def encoded(event_id: str) -> Encoded:
    document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": event_id, "event.action": "login", "idp": {}}
    return Encoded(event_id, TIME, json.dumps(document).encode())


@asynccontextmanager
async def node(directory: Path, *, alone: bool = False) -> AsyncIterator[Here]:
    log, index, backlogs = SqliteEventLog(directory / "log.sqlite"), Blocking(directory / "index"), Backlogs()
    control = ControlLog(log, (backlogs,))
    backlogs.attach(control)
    await control.start()
    processor = IndexProcessor(log, index, backlogs)
    catch_up = CatchUp(log, index, processor, backlogs, alone=alone)
    runner = Runner(log, (processor,))
    runner.start()
    catch_up.start()
    yield Here(log, index, backlogs, processor, catch_up)
    await runner.stop()
    await catch_up.stop()
    await control.stop()
    await index.close()
    await log.close()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with node(tmp_path) as running:
        yield running


async def test_the_others_go_on(here: Here) -> None:
    here.index.blocked = frozenset({ACME})
    await here.send(3)
    await here.until_indexed(GLOBEX)
    assert here.backlogs.of("acme") is not None
    assert await here.ids(ACME, await here.processor.indexed_up_to(ACME)) == []
    await here.send(2)
    await here.until_indexed(GLOBEX)


async def test_what_was_passed_over_arrives_once_it_can(here: Here) -> None:
    await here.send(2)
    await here.until_indexed(ACME)
    here.index.blocked = frozenset({ACME})
    for _ in range(3):
        await here.send(2)
        await here.until_indexed(GLOBEX)
    here.index.blocked = frozenset()
    await here.until_indexed(ACME)
    assert await here.ids(ACME) == [f"acme-{n}" for n in range(8)]
    async with asyncio.timeout(60), here.log.follow(CONTROL, None) as told:
        while here.backlogs.of("acme") is not None:
            await told.next(0.05)


async def test_an_engine_that_takes_a_few_events_at_once_is_caught_up_with(here: Here) -> None:
    here.index.few = 3
    await here.send(20)
    for scope in (ACME, GLOBEX):
        await here.until_indexed(scope)
        assert await here.ids(scope) == [f"{scope.tenant}-{n}" for n in range(20)]


async def test_an_index_that_is_lost_while_it_is_written_is_built_anew(here: Here) -> None:
    await here.send(3)
    await here.until_indexed(ACME)
    await here.index.drop(ACME)
    with capture_logs() as logged:
        await here.send(1)
        await here.until_indexed(GLOBEX)
        async with asyncio.timeout(60):
            while here.backlogs.of("acme") is not None or len(await here.ids(ACME)) < 4:  # noqa: ASYNC110 -- in the catch-up's own time
                await asyncio.sleep(0.02)
    assert await here.ids(ACME) == [f"acme-{n}" for n in range(4)]
    assert ("index_lost", "warning", "acme") in [(one["event"], one["log_level"], one.get("tenant")) for one in logged]


async def test_a_burst_of_one_tenant_delays_only_itself(here: Here) -> None:
    batch = [*segments(ACME, [encoded(f"acme-{n}") for n in range(12_000)]), *segments(GLOBEX, [encoded("globex-0")])]
    await here.log.append(batch)
    here.sent = 1
    await here.until_indexed(GLOBEX)
    async with asyncio.timeout(60), here.log.follow(TENANT_LOG, None, start=await here.log.ends(TENANT_LOG)) as waking:
        while not await here.ids(ACME) or await here.index.positions(ACME, [(0, await here.processor.indexed_up_to(ACME))]) < 12_000:
            await waking.next(0.05)


async def test_a_backlog_outlives_the_process_that_opened_it(tmp_path: Path) -> None:
    async with node(tmp_path) as before:
        before.index.blocked = frozenset({ACME})
        await before.send(3)
        await before.until_indexed(GLOBEX)
    async with node(tmp_path) as after:
        after.sent = 3
        backlog = after.backlogs.of("acme")
        assert backlog is not None
        assert await after.catch_up.catch_up(backlog)
        await after.until_indexed(ACME)


async def test_who_is_alone_goes_on_at_once_with_what_was_left_by_a_crash(tmp_path: Path) -> None:
    async with node(tmp_path, alone=True) as before:
        before.index.blocked = frozenset({ACME})
        await before.send(3)
        await before.until_indexed(GLOBEX)
    async with node(tmp_path, alone=True) as after, asyncio.timeout(20):  # others wait for a minute whether somebody lives
        after.sent = 3
        await after.until_indexed(ACME)


async def test_a_rebuild_while_events_come_misses_none(here: Here) -> None:
    await here.send(20)

    async def sending() -> None:
        for _ in range(20):
            await here.send()

    await asyncio.gather(sending(), here.catch_up.rebuild(ACME), here.catch_up.rebuild(GLOBEX))
    for scope in (ACME, GLOBEX):
        await here.until_indexed(scope)
        assert await here.ids(scope) == [f"{scope.tenant}-{n}" for n in range(40)]


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_is_told_of_events_before_they_are_there(here: Here, seed: int) -> None:
    chance = random.Random(seed)

    async def sending() -> None:
        for _ in range(60):
            here.index.blocked = frozenset(scope for scope in (ACME, GLOBEX) if chance.random() < 0.4)
            await here.send()
        here.index.blocked = frozenset()

    async def asking() -> None:
        for _ in range(120):
            for scope in (ACME, GLOBEX):
                upto = await here.processor.indexed_up_to(scope)
                promised = [one.event_id for one in await logged(here.log, scope) if one.position <= upto]
                if promised:
                    assert await here.ids(scope, upto) == promised
            await asyncio.sleep(0)

    await asyncio.gather(sending(), asking())
    for scope in (ACME, GLOBEX):
        await here.until_indexed(scope)
        assert await here.ids(scope) == [f"{scope.tenant}-{n}" for n in range(60)]


async def logged(log: SqliteEventLog, scope: TenantScope) -> list[Entry]:
    return [entry for record in await log.read(TENANT_LOG, key=scope.tenant) for entry in entries(record)]
