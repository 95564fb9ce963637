"""An index is built anew while the old one answers, and then takes its place."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import IndexMissing
from streams.search_index import SearchIndex
from tests.contract.index_suite import ACME, ALL, GLOBEX, IndexSuite, event, ids


class Rebuilding(IndexSuite):
    async def test_a_rebuild_swaps_at_its_end_while_searches_go_on(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1), event(2)])
        await index.prepare(GLOBEX)

        async with index.rebuild(ACME) as generation:
            assert (await generation.write([event(3), event(3)])).duplicates == 1
            await generation.write([event(4), event(3)])
            assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e1", "e2"]
            both = await index.write({ACME: [event(5)], GLOBEX: [event(6)]})
            assert (both[ACME].deferred, both[GLOBEX].indexed) == ((event(5),), 1), "nobody else waits"
            assert both[ACME].trouble
        await index.write({ACME: [event(5)]})
        await index.refresh(ACME)

        assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e3", "e4", "e5"]
        assert not await index.prepare(ACME)

    async def test_a_rebuild_of_what_is_missing_makes_it_at_its_end(self, index: SearchIndex) -> None:
        await index.drop(ACME)
        async with index.rebuild(ACME) as generation:
            await generation.write([event(1)])
            with pytest.raises(IndexMissing):
                await index.refresh(ACME)
        assert await index.count(ACME, ALL) == 1

    async def test_a_rebuild_that_fails_changes_nothing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1)])

        async def fail() -> None:
            async with index.rebuild(ACME) as generation:
                await generation.write([event(2)])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        await self.fill(index, [event(3)])
        assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e1", "e3"]

    async def test_searches_under_way_survive_a_rebuild(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number) for number in range(300)])
        searches = [asyncio.create_task(index.search(ACME, ALL, limit=300)) for _ in range(20)]
        async with index.rebuild(ACME) as generation:
            await generation.write([event(number) for number in range(300)])
        assert {len(found) for found in await asyncio.gather(*searches)} == {300}
