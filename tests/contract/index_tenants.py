"""Tenants share nothing, neither events nor troubles."""

from __future__ import annotations

import msgspec
import pytest

from streams.errors import IndexMissing
from streams.query.parser import parse
from streams.search_index import SearchIndex
from tests.contract.index_suite import ACME, ALL, GLOBEX, IndexSuite, event, ids
from tests.contract.random_events import decoded


class Tenants(IndexSuite):
    async def test_tenants_share_nothing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1, user_name="alice", tenant_id="globex")])
        await self.fill(index, [event(1, user_name="bob"), event(2, user_name="bob")], GLOBEX)

        assert await index.count(ACME, ALL) == 1
        assert await index.count(ACME, parse("NOT user.name:alice OR tenant.id:globex user.name:bob", now=0)) == 0
        assert await index.get(ACME, "e2") is None
        assert (await index.top_values(ACME, ALL, ["user.name"])).buckets["user.name"] == [("alice", 1)]
        assert await index.positions(ACME, [(0, 100)]) == 1
        await index.drop(GLOBEX)
        assert await index.count(ACME, ALL) == 1

    async def test_without_an_index_a_tenant_is_missing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1)])
        await index.drop(ACME)
        await index.drop(ACME)

        for call in (
            index.check(ACME),
            index.count(ACME, ALL),
            index.refresh(ACME),
            index.get(ACME, "e1"),
            index.search(ACME, ALL),
        ):
            with pytest.raises(IndexMissing):
                await call
        assert await index.prepare(ACME)
        assert await index.count(ACME, ALL) == 0

    async def test_checks_whether_a_tenant_has_an_index(self, index: SearchIndex) -> None:
        with pytest.raises(IndexMissing):
            await index.check(ACME)
        await index.prepare(ACME)
        await index.check(ACME)
        with pytest.raises(IndexMissing):
            await index.check(GLOBEX)

    async def test_a_tenant_without_an_index_defers_its_own_entries_only(self, index: SearchIndex) -> None:
        await index.prepare(GLOBEX)
        batch = [event(1), event(2)]

        written = await index.write({ACME: batch, GLOBEX: batch})
        alone = await index.write({ACME: batch})

        assert (written[GLOBEX].indexed, list(written[GLOBEX].deferred), written[GLOBEX].trouble) == (2, [], "")
        for deferred in (written[ACME], alone[ACME]):
            assert (deferred.indexed, deferred.duplicates, list(deferred.rejected)) == (0, 0, [])
            assert list(deferred.deferred) == batch
            assert "acme" in deferred.trouble
        await index.prepare(ACME)
        assert (await index.write({ACME: batch}))[ACME].indexed == 2

    async def test_pooled_tenants_share_nothing_that_can_be_seen(self, index: SearchIndex) -> None:
        assert await index.prepare(ACME, pooled=True)
        assert await index.prepare(GLOBEX, pooled=True)
        assert not await index.prepare(ACME, pooled=True)
        assert not await index.prepare(ACME)
        one = event(1, user_name="alice", tenant_id="globex")
        other = event(1, user_name="bob", tenant_id="acme")

        written = await index.write({ACME: [one], GLOBEX: [other, event(2)]})
        await index.refresh(ACME)
        await index.refresh(GLOBEX)

        assert {scope.tenant: part.indexed for scope, part in written.items()} == {"acme": 1, "globex": 2}
        assert ids(await index.search(ACME, ALL)) == ["e1"]
        assert await index.count(ACME, parse("NOT user.name:alice", now=0)) == 0
        found = await index.get(GLOBEX, "e1")
        assert found is not None
        assert msgspec.json.decode(found.document) == decoded(other)
        assert await index.get(ACME, "e2") is None
        assert await index.positions(ACME, [(0, 100)]) == 1
        await index.drop(GLOBEX)
        assert await index.count(ACME, ALL) == 1
        assert await index.prepare(GLOBEX, pooled=True)
        assert await index.count(GLOBEX, ALL) == 0

    async def test_tells_how_large_each_tenant_is(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number) for number in range(3)])
        await self.fill(index, [event(number) for number in range(5)], GLOBEX)
        sizes = await index.sizes()
        assert (sizes["acme"].documents, sizes["globex"].documents) == (3, 5)
        assert all(size.bytes is None or size.bytes > 0 for size in sizes.values())
        async with index.rebuild(ACME) as generation:
            await generation.write([event(1)])
            assert (await index.sizes())["acme"].documents == 3, "the old one, which is in use"
        await index.refresh(ACME)
        assert (await index.sizes())["acme"].documents == 1
        await index.drop(GLOBEX)
        assert "globex" not in await index.sizes()
