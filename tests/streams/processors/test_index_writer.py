"""Small batches are written together, each is told what became of its own, and nobody waits for a tenant in trouble."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from streams.errors import IndexUnavailable
from streams.index_tantivy.index import TantivyIndex
from streams.processors.index_writer import IndexWriter
from streams.query.tree import MatchAll
from streams.scope import TenantScope
from streams.search_index import Entry, Written

ACME, GLOBEX, INITECH = TenantScope("acme"), TenantScope("globex"), TenantScope("initech")
TIME = 1_795_000_000_000


class Watched(TantivyIndex):
    """Notes who was written at once; `hold` makes writes of a tenant wait, `away` makes all fail."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.calls: list[set[str]] = []
        self.called = asyncio.Event()
        self.hold: dict[TenantScope, asyncio.Event] = {}
        self.away = False

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        self.calls.append({scope.tenant for scope in entries})
        self.called.set()
        if self.away:
            raise IndexUnavailable("a test says so")
        for scope in entries:
            if scope in self.hold:
                await self.hold[scope].wait()
        return await super().write(entries)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Watched]:
    opened = Watched(tmp_path / "index")
    for scope in (ACME, GLOBEX, INITECH):
        await opened.prepare(scope)
    yield opened
    await opened.close()


def entry(position: int, event_id: str, **more: object) -> Entry:
    document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": event_id, "event.action": "login", "idp": {}, **more}
    return Entry(position, event_id, TIME, json.dumps(document).encode())


async def ids(index: TantivyIndex, scope: TenantScope) -> list[str]:
    hits = await index.tail(scope, MatchAll(), after=-1, upto=1 << 62, limit=5000)
    return [json.loads(hit.document)["event.id"] for hit in hits]


async def test_batches_of_the_same_time_are_one_write_and_each_is_told_its_own(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    await index.write({GLOBEX: [entry(1, "g1")]})
    index.calls.clear()
    bad = Entry(3, "a2", TIME, b"no JSON")
    first, second = await asyncio.gather(
        writer.write({ACME: [entry(1, "a1"), bad]}, TIME, together=True),
        writer.write({GLOBEX: [entry(1, "g1"), entry(2, "g2")], INITECH: [entry(5, "i1")]}, TIME, together=True),
    )
    assert index.calls == [{"acme", "globex", "initech"}]
    results, letters = first
    assert set(results) == {ACME}
    assert (results[ACME].indexed, len(letters)) == (1, 1)
    results, letters = second
    assert set(results) == {GLOBEX, INITECH}
    assert (results[GLOBEX].indexed, results[GLOBEX].duplicates, results[INITECH].indexed, letters) == (1, 1, 1, [])
    assert [await ids(index, scope) for scope in (ACME, GLOBEX, INITECH)] == [["a1"], ["g1", "g2"], ["i1"]]


async def test_what_comes_while_one_is_written_is_the_next(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    index.hold[ACME] = asyncio.Event()
    first = asyncio.create_task(writer.write({ACME: [entry(1, "a1")]}, TIME, together=True))
    async with asyncio.timeout(10):
        await index.called.wait()
    others = [asyncio.create_task(writer.write({scope: [entry(1, "one")]}, TIME, together=True)) for scope in (GLOBEX, INITECH)]
    await asyncio.sleep(0)
    index.hold[ACME].set()
    await asyncio.gather(first, *others)
    assert index.calls == [{"acme"}, {"globex", "initech"}]


async def test_nobody_waits_for_a_tenant_that_is_written_apart_nor_for_a_large_batch(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    index.hold[ACME], index.hold[GLOBEX] = asyncio.Event(), asyncio.Event()
    apart = asyncio.create_task(writer.write({ACME: [entry(1, "a1")]}, TIME))
    large = asyncio.create_task(writer.write({GLOBEX: [entry(1 + n, f"g{n}") for n in range(1001)]}, TIME, together=True))
    results, _ = await writer.write({INITECH: [entry(1, "i1")]}, TIME, together=True)
    assert results[INITECH].indexed == 1
    assert not apart.done()
    assert not large.done()
    for event in index.hold.values():
        event.set()
    assert [results[scope].indexed for (results, _), scope in zip(await asyncio.gather(apart, large), (ACME, GLOBEX), strict=True)] == [
        1,
        1001,
    ]
    assert sorted(map(sorted, index.calls)) == [["acme"], ["globex"], ["initech"]]


async def test_a_tenant_in_two_batches_loses_nothing_of_either(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    answers = await asyncio.gather(*(writer.write({ACME: [entry(n, f"a{n}")]}, TIME, together=True) for n in (1, 2)))
    assert [results[ACME].indexed for results, _ in answers] == [1, 1]
    assert await ids(index, ACME) == ["a1", "a2"]


async def test_an_engine_that_is_away_is_so_for_all_and_the_next_write_tries_again(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    index.away = True
    parts = [{ACME: [entry(1, "a1")]}, {GLOBEX: [entry(1, "g1")]}]
    answers = await asyncio.gather(*(writer.write(part, TIME, together=True) for part in parts), return_exceptions=True)
    assert [type(answer) for answer in answers] == [IndexUnavailable, IndexUnavailable]
    index.away = False
    await asyncio.gather(*(writer.write(part, TIME, together=True) for part in parts))
    assert [await ids(index, scope) for scope in (ACME, GLOBEX)] == [["a1"], ["g1"]]


async def test_who_does_not_wait_any_longer_takes_nobody_else_along(index: Watched) -> None:
    writer = IndexWriter(index, lambda _: False)
    index.hold[ACME] = asyncio.Event()
    gone = asyncio.create_task(writer.write({ACME: [entry(1, "a1")]}, TIME, together=True))
    stays = asyncio.create_task(writer.write({GLOBEX: [entry(1, "g1")]}, TIME, together=True))
    async with asyncio.timeout(10):
        await index.called.wait()
    gone.cancel()
    index.hold[ACME].set()
    results, _ = await stays
    assert results[GLOBEX].indexed == 1
    assert await ids(index, ACME) == ["a1"]
