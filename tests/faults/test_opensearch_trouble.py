"""The index on an OpenSearch in trouble: what can't be written is deferred or refused alone, and nothing is lost or there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import msgspec
import pytest
from pytest_socket import enable_socket

from streams.errors import IndexUnavailable
from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex
from streams.index_opensearch.names import Names
from streams.index_opensearch.schema import MAPPING
from streams.scope import TenantScope
from streams.search_index import Entry
from tests.contract.index_suite import ACME, ALL, GLOBEX, event, ids
from tests.faults.chance import chance
from tests.faults.real.busy_opensearch import busy_opensearch
from tests.servers.fixtures import made
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import Here, on

TENANTS = [TenantScope(f"tenant-{number}") for number in range(8)]


@pytest.fixture
def own() -> Iterator[OpenSearch]:
    """An OpenSearch that the test stops."""
    enable_socket()
    with made(OpenSearch, "opensearch") as server:
        yield server


async def insist(index: OpenSearchIndex, batch: dict[TenantScope, list[Entry]]) -> int:
    """Writes until everything is written, as a processor does; how many were new."""
    new = 0
    while batch:
        try:
            written = await index.write(batch)
        except IndexUnavailable:
            await asyncio.sleep(0.05)  # what it waits for is another process
            continue
        new += sum(part.indexed for part in written.values())
        assert not any(part.rejected for part in written.values())
        batch = {scope: list(part.deferred) for scope, part in written.items() if part.deferred}
    return new


async def check(index: OpenSearchIndex, scope: TenantScope, count: int) -> None:
    """The tenant's events are there, once, at their positions."""
    await index.refresh(scope)
    assert await index.count(scope, ALL) == count
    found = [hit.position for hit in await index.tail(scope, ALL, after=-1, upto=count, limit=count)]
    assert found == list(range(count))


async def test_too_busy_for_half_of_the_events(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here, busy_opensearch(opensearch, chance()) as way:
        index = OpenSearchIndex(OpenSearchConnection.from_url(way.url(f"opensearch://admin@there/{here.prefix}"), opensearch.password))
        for number, scope in enumerate(TENANTS):
            await index.prepare(scope, pooled=number % 2 == 0)
        way.share = 0.5

        new = await insist(index, {scope: [event(number) for number in range(300)] for scope in TENANTS})

        assert way.refused > 1000
        assert new == 300 * len(TENANTS)
        for scope in TENANTS:
            await check(index, scope, 300)
        await index.close()


async def test_too_busy_for_anything(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here, busy_opensearch(opensearch, chance()) as way:
        index = OpenSearchIndex(OpenSearchConnection.from_url(way.url(f"opensearch://admin@there/{here.prefix}"), opensearch.password))
        for scope in (ACME, GLOBEX):
            await index.prepare(scope)
        way.share = 1.0

        with pytest.raises(IndexUnavailable, match="too busy"):
            await index.write({ACME: [event(1)], GLOBEX: [event(1)]})
        alone = (await index.write({ACME: [event(1)]}))[ACME]
        way.away = True
        with pytest.raises(IndexUnavailable, match="500"):
            await index.write({ACME: [event(1)]})

        assert [entry.event_id for entry in alone.deferred] == ["e1"]
        assert "acme" in alone.trouble
        await index.close()


@pytest.mark.parametrize(
    ("method", "path", "trouble", "remedy"),
    [
        ("PUT", "_settings", {"index.blocks.write": True}, {"index.blocks.write": None}),
        ("PUT", "_settings", {"index.blocks.read_only_allow_delete": True}, {"index.blocks.read_only_allow_delete": None}),
        ("POST", "_close", None, None),
    ],
    ids=["blocked", "full disk", "closed"],
)
async def test_one_tenants_index_in_trouble_delays_nobody(
    opensearch: OpenSearch, method: str, path: str, trouble: object, remedy: object
) -> None:
    async with on(opensearch) as here:
        for scope in TENANTS:
            await here.index.prepare(scope)
        batch = {scope: [event(number) for number in range(100)] for scope in TENANTS}
        ill, *well = TENANTS
        alias = f"{here.prefix}-t-{ill.tenant}"
        opensearch.ask(method, f"{alias}/{path}", trouble)

        began = time.monotonic()
        written = await here.index.write(batch)
        took = time.monotonic() - began

        assert list(written[ill].deferred) == batch[ill]
        assert ill.tenant in written[ill].trouble
        assert {written[scope].indexed for scope in well} == {100}
        assert took < 5, "nothing is waited for; the machine may be slow"
        for scope in well:
            await check(here.index, scope, 100)
        opensearch.ask(method, f"{alias}/{path.replace('_close', '_open')}", remedy)
        assert (await here.index.write({ill: batch[ill]}))[ill].indexed == 100
        await check(here.index, ill, 100)


async def test_a_poisoned_document_is_rejected_alone(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(GLOBEX)
        mend(here)
        batch = [event(1, user_id="12"), event(2, user_id="not a number, and a secret"), event(3)]

        written = await here.index.write({ACME: batch, GLOBEX: batch})
        await here.index.refresh(ACME)

        assert (written[GLOBEX].indexed, written[ACME].indexed, len(written[ACME].deferred)) == (3, 2, 0)
        [rejected] = written[ACME].rejected
        assert rejected.entry is batch[1]
        assert "user.id" in rejected.reason
        assert "secret" not in rejected.reason
        assert ids(await here.index.search(ACME, ALL, sort="oldest")) == ["e1", "e3"]


def mend(here: Here) -> None:
    """Makes an index of acme's that takes numbers only in one field, as somebody's own template might."""
    properties = MAPPING["properties"] | {"user.id": {"type": "long"}}
    names = Names(here.prefix, 4)
    body = {"mappings": MAPPING | {"properties": properties}, "aliases": {names.alias("acme"): {}}}
    here.server.ask("PUT", names.own("acme", 1), body)


async def test_a_document_that_opensearch_refuses_as_it_is_goes_in_nevertheless(opensearch: OpenSearch) -> None:
    twice = Entry(1, "e1", 1, b'{"@timestamp":"1970-01-01T00:00:00.001Z","event.id":"e1","idp":{"a":"x","a":"y"}}')
    lines = Entry(2, "e2", 2, b'{"@timestamp":"1970-01-01T00:00:00.002Z","event.id":"e2",\n"idp":{}\n}')
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        written = (await here.index.write({ACME: [twice, lines, event(3)]}))[ACME]
        await here.index.refresh(ACME)

        assert (written.indexed, len(written.rejected)) == (3, 0)
        hit = await here.index.get(ACME, "e1")
        assert hit is not None
        assert hit.document.endswith(twice.document[1:])
        assert msgspec.json.decode(hit.document)["idp"] == {"a": "y"}


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_stopped_and_killed_under_writes(own: OpenSearch) -> None:
    async with on(own) as here:
        for number, scope in enumerate(TENANTS):
            await here.index.prepare(scope, pooled=number % 2 == 0)
        some = asyncio.Semaphore(0)

        async def write() -> None:
            for start in range(0, 20_000, 100):
                await insist(here.index, {scope: [event(number) for number in range(start, start + 100)] for scope in TENANTS})
                some.release()

        writing = asyncio.create_task(write())
        for end in (own.stop, own.kill):
            for _ in range(5):
                await some.acquire()
            await asyncio.to_thread(end)
            await asyncio.to_thread(own.start)
        await writing

        for scope in TENANTS:
            await check(here.index, scope, 20_000)
