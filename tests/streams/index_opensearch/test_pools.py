"""Pools: their alias for writing changes when a tenant leaves, so nobody writes to where a share was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams.errors import IndexMissing
from streams.index_opensearch import OpenSearchIndex
from streams.index_opensearch.client import Client
from streams.index_opensearch.names import Names
from streams.index_opensearch.tenants import Tenants
from streams.scope import TenantScope
from tests.contract.index_suite import ACME, ALL, event
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import Here, on, pooled_beside


@asynccontextmanager
async def other(here: Here, *, seen: bool = True) -> AsyncIterator[OpenSearchIndex]:
    """Another process, which has seen where everybody is, or nothing yet."""
    index = OpenSearchIndex(here.connection)
    try:
        if seen:
            await index.check(ACME)
        yield index
    finally:
        await index.close()


def owned(here: Here, tenant: str) -> int:
    """How many documents of the tenant are in any pool."""
    here.server.ask("POST", f"{here.prefix}-pool-*/_refresh")
    return int(here.server.ask("GET", f"{here.prefix}-pool-*/_count", {"query": {"term": {"tenantry.owner": tenant}}})["count"])


def writers(here: Here) -> dict[str, list[str]]:
    """The aliases for writing of every pool."""
    found = here.server.ask("GET", f"{here.prefix}-pool-*/_alias")
    return {index: [alias for alias in has["aliases"] if "-pool-" in alias] for index, has in found.items()}


async def test_a_share_that_another_process_has_moved_is_written_where_it_is(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        globex = await pooled_beside(here, ACME)
        async with other(here) as stale:
            await stale.write({ACME: [event(1)], globex: [event(1)]})
            async with here.index.rebuild(ACME) as generation:
                await generation.write([event(1)])
            written = await stale.write({ACME: [event(1), event(2)], globex: [event(2)]})
            assert (written[ACME].indexed, written[ACME].duplicates, written[ACME].deferred) == (1, 1, [])
            assert (written[globex].indexed, written[globex].deferred) == (1, [])
        await here.index.refresh(ACME)
        assert await here.index.count(ACME, ALL) == owned(here, "acme") == 2
        assert await here.index.count(globex, ALL) == 2


async def test_what_is_written_to_a_tenant_that_has_left_goes_nowhere(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        globex = await pooled_beside(here, ACME)
        async with other(here) as stale:
            await here.index.drop(ACME)
            written = await stale.write({ACME: [event(1)], globex: [event(1)]})
            assert written[ACME].deferred == [event(1)]
            assert written[globex].indexed == 1
            with pytest.raises(IndexMissing):
                await stale.check(ACME)
        assert owned(here, "acme") == 0


async def test_a_pool_that_was_lost_and_made_anew_is_another(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        globex = await pooled_beside(here, ACME)
        async with other(here) as stale:
            opensearch.ask("DELETE", f"{here.prefix}-pool-*")
            async with other(here, seen=False) as newer:
                assert await newer.prepare(globex, pooled=True)
            written = await stale.write({ACME: [event(1)], globex: [event(1)]})
            assert written[ACME].deferred == [event(1)], "or nobody would notice that its past is lost"
            assert written[globex].indexed == 1
        assert owned(here, "acme") == 0


async def test_an_alias_that_a_person_has_removed_is_missed(opensearch: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.index_opensearch.tenants._FRESH_SECONDS", 0)
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        await here.index.write({ACME: [event(1)]})
        opensearch.ask("DELETE", f"{here.prefix}-pool-*/_alias/{here.prefix}-t-acme")
        assert (await here.index.write({ACME: [event(2)]}))[ACME].deferred == (event(2),)


async def test_who_asks_for_a_tenant_that_is_not_there_sees_the_pools(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        client, names = Client(here.connection), Names(here.prefix, 2)
        tenants = Tenants(client, names)
        assert await tenants.look("nobody") is None
        assert {index: [tenants.writer_of(index)] for index in writers(here)} == writers(here)
        await client.close()


async def test_many_leave_at_once(opensearch: OpenSearch) -> None:
    tenants = [TenantScope(f"tenant-{number}") for number in range(24)]
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        await asyncio.gather(*(here.index.prepare(scope, pooled=True) for scope in tenants))
        before = writers(here)
        assert all(len(aliases) == 1 for aliases in before.values())
        async with other(here) as second, other(here) as third, other(here) as stale:
            processes = [here.index, second, third]
            await asyncio.gather(*(processes[number % 3].drop(scope) for number, scope in enumerate(tenants)))
            after = writers(here)
            assert all(len(aliases) == 1 for aliases in after.values()), "each leaving has seen the one before"
            assert all(before[index] != after[index] for index in before)
            written = await stale.write({scope: [event(1)] for scope in [*tenants, ACME]})
            assert [scope for scope in written if not written[scope].deferred] == [ACME]
        assert sum(owned(here, scope.tenant) for scope in tenants) == 0


async def test_a_pool_without_an_alias_for_writing_is_written_by_its_tenants_own(opensearch: OpenSearch) -> None:
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        for index, aliases in writers(here).items():
            opensearch.ask("DELETE", f"{index}/_alias/{','.join(aliases)}")
        assert (await here.index.write({ACME: [event(1)]}))[ACME].indexed == 1
        async with other(here) as stale:
            await here.index.drop(ACME)
            assert (await stale.write({ACME: [event(2)]}))[ACME].deferred == [event(2)]
        assert owned(here, "acme") == 0
