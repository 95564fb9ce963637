"""How indexes come and go: many tenants at once, rebuilds beside other processes, and what a crash leaves."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import IndexMissing, IndexUnavailable
from streams.index_opensearch import OpenSearchIndex
from streams.index_opensearch.names import Names
from streams.scope import TenantScope
from streams.search_index import Entry
from tests.contract.index_suite import ACME, ALL, GLOBEX, event, ids
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import on


async def test_many_tenants_are_pooled_at_once(opensearch: OpenSearch) -> None:
    scopes = [TenantScope(f"t{number}") for number in range(300)]
    async with on(opensearch, options="pools=3") as here:
        assert all(await asyncio.gather(*(here.index.prepare(scope, pooled=True) for scope in scopes)))
        assert len(here.names()) == 3
        await here.index.write({scope: [event(1, user_name=scope.tenant)] for scope in scopes})

        other = OpenSearchIndex(here.connection)
        for scope in scopes:
            await other.check(scope)
        await other.refresh(scopes[0])
        assert (await other.top_values(scopes[0], ALL, ["user.name"])).buckets["user.name"] == [("t0", 1)]
        await other.close()


@pytest.mark.parametrize("pooled", [False, True])
async def test_two_processes_prepare_one_index(opensearch: OpenSearch, pooled: bool) -> None:
    async with on(opensearch, options="pools=2") as here:
        others = [OpenSearchIndex(here.connection) for _ in range(4)]
        await asyncio.gather(*(other.prepare(ACME, pooled=pooled) for other in others))
        for other in others:
            assert not await other.prepare(ACME, pooled=pooled)
            await other.close()
        assert len(here.names()) == 1


async def test_a_share_that_another_process_has_made_meanwhile_is_left_as_it_is(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        other = OpenSearchIndex(here.connection)
        await here.index.prepare(ACME, pooled=True)
        await here.index.write({ACME: [event(1)]})
        assert await other._generations._pool(["acme", "globex"]) == [False, True], "as whoever has waited behind other tenants"
        await here.index.refresh(ACME)
        assert ids(await here.index.search(ACME, ALL)) == ["e1"]
        await other.close()


async def test_another_process_sees_what_was_dropped_and_made_again(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        other = OpenSearchIndex(here.connection)
        await here.index.prepare(ACME)
        await other.check(ACME)
        await here.index.drop(ACME)
        assert (await other.write({ACME: [event(1)]}))[ACME].deferred
        with pytest.raises(IndexMissing):
            await other.check(ACME)
        await here.index.prepare(ACME, pooled=True)
        assert (await other.write({ACME: [event(1)]}))[ACME].indexed == 1
        await other.close()


@pytest.mark.parametrize(("before", "after"), [(False, False), (False, True), (True, False), (True, True)])
async def test_a_rebuild_moves_a_tenant_while_another_process_writes(opensearch: OpenSearch, before: bool, after: bool) -> None:
    async with on(opensearch, options="pools=2") as here:
        other = OpenSearchIndex(here.connection)
        await here.index.prepare(ACME, pooled=before)
        await here.index.prepare(GLOBEX, pooled=before)
        await here.index.write({ACME: [event(1), event(2)], GLOBEX: [event(1)]})

        async with here.index.rebuild(ACME, pooled=after) as generation:
            await generation.write([event(1), event(2), event(3)])
            await other.write({ACME: [event(3), event(4)]})
        await other.write({ACME: [event(5)]})

        await other.refresh(ACME)
        await other.refresh(GLOBEX)
        assert ids(await other.search(ACME, ALL, sort="oldest")) == ["e1", "e2", "e3", "e4", "e5"]
        assert await other.count(GLOBEX, ALL) == 1
        names = Names(here.prefix, 2)
        own = [name for name in here.names() if name.startswith(names.alias("acme"))]
        assert len(own) == (0 if after else 1)
        everywhere = here.server.ask("GET", f"{here.prefix}-*/_count", {"query": {"term": {"tenantry.owner": "acme"}}})
        assert everywhere["count"] == 5, "the old ones are gone"
        await other.close()


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("more", [[], [event(3)]], ids=["empty", "written"])
async def test_a_new_index_that_was_replaced_meanwhile_is_not_swapped_in(opensearch: OpenSearch, pooled: bool, more: list[Entry]) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=pooled)
        await here.index.write({ACME: [event(1)]})
        names = Names(here.prefix, 2)
        present = names.pool_of("acme") if pooled else names.own("acme", 1)
        target = names.other_pool("acme", present) if pooled else names.own("acme", 2)

        async def rebuild() -> None:
            async with here.index.rebuild(ACME) as generation:
                await generation.write([event(1), event(2)])
                here.server.ask("DELETE", target)
                here.server.ask("PUT", target)
                await generation.write(more)

        with pytest.raises(IndexUnavailable, match=f"delete {target}"):
            await rebuild()

        assert list(here.server.ask("GET", f"_alias/{names.alias('acme')}")) == [present]
        await here.index.refresh(ACME)
        assert ids(await here.index.search(ACME, ALL)) == ["e1"]


async def test_pools_that_were_lost_are_made_again(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        here.server.ask("DELETE", ",".join(here.names()))
        async with here.index.rebuild(ACME, pooled=True) as generation:
            await generation.write([event(1)])
        await here.index.refresh(ACME)
        assert ids(await here.index.search(ACME, ALL)) == ["e1"]
        here.server.ask("DELETE", ",".join(here.names()))
        assert await here.index.prepare(GLOBEX, pooled=True)
        await here.index.write({GLOBEX: [event(2)]})
        await here.index.refresh(GLOBEX)
        assert ids(await here.index.search(GLOBEX, ALL)) == ["e2"]


async def test_nobody_elses_documents_are_removed_from_a_pool_of_another_mapping(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        pool = Names(here.prefix, 2).pool(0)
        here.server.ask("PUT", pool)
        here.server.ask("PUT", f"{pool}/_doc/acme-eu:1?refresh=true", {"tenantry": {"owner": "acme-eu"}})
        with pytest.raises(IndexUnavailable):
            await here.index.drop(ACME)
        assert here.server.ask("GET", f"{pool}/_count")["count"] == 1


async def test_what_another_mapping_finds_of_another_tenant_is_not_shown(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        names = Names(here.prefix, 4)
        here.server.ask("PUT", names.own("acme", 1), {"aliases": {names.alias("acme"): {}}})
        for number, owner in enumerate(("acme-eu", "acme")):
            ours = {"owner": owner, "position": number, "time": number}
            here.server.ask("PUT", f"{names.own('acme', 1)}/_doc/{number}?refresh=true", {"tenantry": ours, "event.id": owner})
        with pytest.raises(IndexUnavailable, match="another's events"):
            await here.index.search(ACME, ALL)


async def test_what_a_killed_rebuild_left_is_removed_by_the_next(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        names = Names(here.prefix, 4)
        for left in (names.own("acme", 7), names.own("acme", 9), names.own("acme-g1", 1)):
            here.server.ask("PUT", left)

        async with here.index.rebuild(ACME) as generation:
            await generation.write([event(1)])

        assert here.names() == sorted([names.own("acme", 10), names.own("acme-g1", 1)])
        assert await here.index.count(ACME, ALL) == 1


async def test_an_index_that_a_crash_left_without_its_alias_is_not_taken_for_a_whole_one(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        names = Names(here.prefix, 4)
        here.server.ask("PUT", names.own("acme", 1))
        here.server.ask("PUT", f"{names.own('acme', 1)}/_doc/acme:e1?refresh=true", {"tenantry": {"owner": "acme"}})
        assert await here.index.prepare(ACME)
        assert await here.index.count(ACME, ALL) == 0


async def test_documents_that_a_crash_left_in_a_pool_are_not_seen_again(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        await here.index.write({ACME: [event(1), event(2)]})
        names = Names(here.prefix, 2)
        here.server.ask("DELETE", f"{names.pool_of('acme')}/_alias/{names.alias('acme')}")

        other = OpenSearchIndex(here.connection)
        assert await other.prepare(ACME, pooled=True)
        await other.refresh(ACME)
        assert await other.count(ACME, ALL) == 0
        assert (await other.write({ACME: [event(1)]}))[ACME].indexed == 1
        await other.close()


async def test_an_index_of_another_version_is_missing_and_can_be_built_anew(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        alias = Names(here.prefix, 4).alias("acme")
        here.server.ask("PUT", f"{alias}_g3_00000000", {"aliases": {alias: {}}})
        here.server.ask("PUT", f"{alias}/_doc/1?refresh=true", {"old": True})

        with pytest.raises(IndexMissing):
            await here.index.check(ACME)
        with pytest.raises(IndexMissing):
            await here.index.count(ACME, ALL)
        assert (await here.index.write({ACME: [event(1)]}))[ACME].deferred
        async with here.index.rebuild(ACME) as generation:
            await generation.write([event(1)])

        assert await here.index.count(ACME, ALL) == 1
        assert here.names() == [Names(here.prefix, 4).own("acme", 4)]


async def test_a_closed_index_can_be_built_anew(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        here.server.ask("POST", f"{Names(here.prefix, 4).alias('acme')}/_close")
        async with here.index.rebuild(ACME) as generation:
            await generation.write([event(1)])
        assert await here.index.count(ACME, ALL) == 1
        assert len(here.names()) == 1
