"""Claims: of several processes, one builds a tenant's index anew, and who has died over it is succeeded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.control_log import ControlLog
from streams.errors import IndexBeingBuilt, IndexMissing, IndexUnavailable
from streams.event_log import TENANT_LOG, Record
from streams.index_opensearch import OpenSearchIndex
from streams.index_opensearch.documents import identity
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import EXPIRES_SECONDS, Backlog, Backlogs
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.query.tree import MatchAll
from streams.scope import TenantScope
from streams.search_index import SearchIndex
from streams.segment import Encoded, segments
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import on

ACME = TenantScope("acme")
RECORDS = 60
ALL = [f"e{number}" for number in range(RECORDS)]


class Stopping(SqliteEventLog):
    """A log that can be told to stop who reads the tenant log, when a part of it is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.stopped = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        if stream == TENANT_LOG and start > 0 and not self.go.is_set():
            self.stopped.set()
            await self.go.wait()
        return await super().read(stream, key=key, partition=partition, start=start, limit=limit)


@dataclass
class Node:
    """A process that could build. Its clock is ahead by `later` seconds."""

    log: Stopping
    index: SearchIndex
    control: ControlLog
    backlogs: Backlogs
    processor: IndexProcessor
    catch_up: CatchUp
    later: float = 0.0

    async def backlog(self) -> Backlog | None:
        await self.backlogs.current()
        return self.backlogs.of("acme")

    async def ids(self) -> list[str]:
        await self.index.refresh(ACME)
        return [json.loads(hit.document)["event.id"] for hit in await self.index.tail(ACME, MatchAll(), after=-1, upto=1 << 62, limit=1000)]

    async def begun(self) -> asyncio.Task[int]:
        """Builds the index until half of it is there, and then waits for `log.go`."""
        self.log.stopped.clear()
        self.log.go.clear()
        building = asyncio.create_task(self.catch_up.rebuild(ACME))
        stopped = asyncio.create_task(self.log.stopped.wait())
        await asyncio.wait({building, stopped}, return_when=asyncio.FIRST_COMPLETED)
        assert stopped.done(), building.result()
        return building

    async def until_closed(self) -> None:
        """Catches up as often as it takes, for as long as it may take."""
        async with asyncio.timeout(60):
            while (found := await self.backlog()) is not None:
                try:
                    await self.catch_up.catch_up(found)
                except IndexUnavailable:
                    await asyncio.sleep(0)


@asynccontextmanager
async def node(directory: Path, index: SearchIndex, *, pooled: bool = False) -> AsyncIterator[Node]:
    log = Stopping(directory / "log.sqlite")
    backlogs = Backlogs(clock=lambda: asyncio.get_running_loop().time() + here.later)
    control = ControlLog(log, (backlogs,))
    backlogs.attach(control)
    processor = IndexProcessor(log, index, backlogs, pooled=lambda _: pooled)
    here = Node(log, index, control, backlogs, processor, CatchUp(log, index, processor, backlogs))
    await control.start()
    yield here
    await control.stop()
    await log.close()


@pytest.fixture(autouse=True)
def _in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.replay._CHUNK", 1)


@asynccontextmanager
async def embedded(directory: Path) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes with one index: what they could destroy of each other's is shown on OpenSearch."""
    async with AsyncExitStack() as stack:
        index = TantivyIndex(directory / "index")
        stack.push_async_callback(index.close)
        yield await filled(await stack.enter_async_context(node(directory, index))), await stack.enter_async_context(node(directory, index))


async def filled(one: Node) -> Node:
    """All events are in the log, and the processor is behind them: what a new index lacks is not read again for a backlog."""
    for number in range(RECORDS):
        document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": f"e{number}", "event.action": "login", "idp": {}}
        await one.log.append(segments(ACME, [Encoded(f"e{number}", 1_795_000_000_000, json.dumps(document).encode())]))
    async with one.log.follow(TENANT_LOG, one.processor.name) as following:
        batch = await following.next()
        assert batch is not None
        await following.advance(batch)
    return one


@pytest.mark.parametrize("pooled", [False, True])
async def test_two_processes_build_one_lost_index_once(opensearch: OpenSearch, tmp_path: Path, pooled: bool) -> None:
    async with on(opensearch, options="pools=2") as there, node(tmp_path, there.index, pooled=pooled) as one:
        other = OpenSearchIndex(there.connection)
        async with node(tmp_path, other, pooled=pooled) as two:
            await filled(one)
            building = await one.begun()
            found = await two.backlog()
            assert found is not None
            with pytest.raises(IndexBeingBuilt, match="acme"):
                await two.catch_up.catch_up(found)
            with pytest.raises(IndexBeingBuilt):
                await two.catch_up.rebuild(ACME)
            assert not await two.processor.prepare(ACME)
            one.log.go.set()
            assert await building == RECORDS
            assert await two.backlog() is None
            assert await two.ids() == ALL
        await other.close()


@pytest.mark.parametrize("pooled", [False, True])
async def test_who_was_given_up_is_succeeded_and_destroys_nothing(opensearch: OpenSearch, tmp_path: Path, pooled: bool) -> None:
    async with on(opensearch, options="pools=2") as there, node(tmp_path, there.index, pooled=pooled) as one:
        other = OpenSearchIndex(there.connection)
        async with node(tmp_path, other, pooled=pooled) as two:
            await filled(one)
            late = await one.begun()
            two.later = EXPIRES_SECONDS + 1
            building = await two.begun()
            one.log.go.set()
            with pytest.raises((IndexBeingBuilt, IndexUnavailable)):
                await late
            two.log.go.set()
            await building
            assert await one.backlog() is None
            assert await one.ids() == ALL
        await other.close()


@pytest.mark.parametrize("pooled", [False, True])
async def test_what_was_removed_from_a_new_index_meanwhile_is_noticed(opensearch: OpenSearch, pooled: bool, tmp_path: Path) -> None:
    async with on(opensearch, options="pools=2") as there, node(tmp_path, there.index, pooled=pooled) as one:
        await filled(one)
        building = await one.begun()
        [target] = [name for name in there.names() if "_g" in name]
        there.server.ask("DELETE", f"{target}/_doc/{identity('acme', 'e7')}?routing=acme")
        one.log.go.set()
        with pytest.raises(IndexUnavailable, match="removed"):
            await building
        with pytest.raises(IndexMissing):
            await one.index.refresh(ACME)
        one.later = 10  # it is no new tenant
        await one.until_closed()
        assert await one.ids() == ALL


async def test_who_takes_over_builds_anew_whatever_is_there(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (one, two):
        await one.index.prepare(ACME)
        await one.processor.fall_behind(ACME)
        assert await one.backlogs.claim("acme")
        found = await two.backlog()
        assert found is not None
        with pytest.raises(IndexBeingBuilt):
            await two.catch_up.catch_up(found)
        await one.backlogs.closing(found)
        assert not await one.backlogs.close(found)
        two.later = EXPIRES_SECONDS + 1
        assert await two.catch_up.catch_up(found)
        assert await two.ids() == ALL
        assert not await one.backlogs.claim("acme")


async def test_a_claim_that_is_renewed_does_not_expire(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (one, two):
        await one.processor.fall_behind(ACME)
        for _ in range(4):
            assert await one.backlogs.claim("acme")
            assert await two.backlog() is not None
            assert not await two.backlogs.claim("acme")
            one.later += EXPIRES_SECONDS * 2 / 3
            two.later += EXPIRES_SECONDS * 2 / 3
        two.later += EXPIRES_SECONDS
        assert await two.backlogs.claim("acme")
        assert not await one.backlogs.claim("acme")
        assert not await one.backlogs.release("acme")
        assert await two.backlogs.release("acme")


async def test_a_rebuild_that_fails_gives_its_claim_back_and_the_old_index_is_caught_up(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (one, two):
        await one.catch_up.rebuild(ACME)

        def fail(_: int) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await one.catch_up.rebuild(ACME, fail)
        await two.until_closed()
        assert await two.ids() == ALL
