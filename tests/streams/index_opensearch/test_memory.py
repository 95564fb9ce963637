"""What a question holds in memory is bounded, whatever the events that it finds are like."""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable
from typing import TypeVar

from streams.index_opensearch import OpenSearchIndex
from streams.query.tree import Prefix
from streams.search_index import MAX_PAGE_BYTES, Entry
from tests.contract.index_suite import ACME, ALL, event, ids
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import Here, on

T = TypeVar("T")


async def peak(call: Awaitable[T]) -> tuple[T, int]:
    """The answer, and how many bytes more than before were held meanwhile."""
    tracemalloc.start()
    try:
        return await call, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def fill(here: Here, batch: list[Entry]) -> None:
    await here.index.prepare(ACME)
    for begin in range(0, len(batch), 50):
        assert (await here.index.write({ACME: batch[begin : begin + 50]}))[ACME].indexed
    await here.index.refresh(ACME)


async def test_long_prefixes_of_large_events(opensearch: OpenSearch) -> None:
    long, large = "x" * 1000, "y" * 200_000
    async with on(opensearch) as here:
        await fill(here, [event(number, user_name=long, message=large, idp={"a=b": {"c.d": [long]}, "e": large}) for number in range(200)])
        for field in ("user.name", "idp.a=b.c.d"):
            found, held = await peak(here.index.count(ACME, Prefix(field, long[:-99])))
            assert found == 200
            assert held < 10_000_000, f"{field}: {held}, though the events have {200 * len(large)}"
            assert await here.index.count(ACME, Prefix(field, long[:-1] + "y")) == 0


async def test_a_page_of_large_events_behind_many_small_ones(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await fill(here, [event(number, message="y" * 600_000 if number >= 70 else "") for number in range(170)])
        page, held = await peak(here.index.search(ACME, ALL, sort="oldest", limit=1000))
        assert ids(page) == [f"e{number}" for number in range(len(page))]
        assert MAX_PAGE_BYTES <= sum(len(hit.document) for hit in page) < MAX_PAGE_BYTES + 700_000
        assert held < 7 * MAX_PAGE_BYTES, f"{held}, though the events have {100 * 600_000}"


async def test_what_a_rebuild_copies_of_another_process(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        other = OpenSearchIndex(here.connection)
        await here.index.prepare(ACME)

        async def rebuild() -> None:
            async with here.index.rebuild(ACME) as generation:
                await generation.write([event(0)])
                for begin in range(1, 101, 10):
                    await other.write({ACME: [event(number, message="y" * 600_000) for number in range(begin, begin + 10)]})

        _, held = await peak(rebuild())
        assert await here.index.count(ACME, ALL) == 101
        assert held < 10 * MAX_PAGE_BYTES, f"{held}, though the events have {100 * 600_000}"
        await other.close()
