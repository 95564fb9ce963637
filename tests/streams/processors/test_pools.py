"""Shares of a pool: written where they are, whoever has built them anew, and gone when their tenant is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from streams.control_log import ControlEvent
from streams.event_log import TENANT_LOG
from streams.index_opensearch import OpenSearchIndex
from streams.scope import TenantScope
from streams.search_index import Entry, Written
from streams.segment import Encoded, segments
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import on
from tests.streams.processors.test_claims import ACME, Node, embedded, node


async def append(here: Node, name: str) -> None:
    """One event."""
    document = {"@timestamp": "2026-11-18T11:06:40.000Z", "event.id": name, "event.action": "login", "idp": {}}
    await here.log.append(segments(ACME, [Encoded(name, 1_795_000_000_000, json.dumps(document).encode())]))


async def process(here: Node) -> None:
    """What the processor has not done yet."""
    async with here.log.follow(TENANT_LOG, here.processor.name) as following:
        batch = await following.next()
        assert batch is not None
        await following.advance(batch, await here.processor.process(batch))


async def test_what_another_process_has_moved_is_written_where_it_is(opensearch: OpenSearch, tmp_path: Path) -> None:
    async with on(opensearch, options="pools=2") as there, node(tmp_path, there.index, pooled=True) as one:
        other = OpenSearchIndex(there.connection)
        async with node(tmp_path, other, pooled=True) as two:
            await append(one, "e0")
            await process(one)
            place = opensearch.ask("GET", f"_alias/{there.prefix}-t-acme").keys()
            assert await two.catch_up.rebuild(ACME) == 1
            assert opensearch.ask("GET", f"_alias/{there.prefix}-t-acme").keys() != place
            await append(one, "e1")
            await process(one)
            assert await one.ids() == await two.ids() == ["e0", "e1"]
        await other.close()
        count = opensearch.ask("GET", f"{there.prefix}-pool-*/_count", {"query": {"term": {"tenantry.owner": "acme"}}})
        assert count["count"] == 2, "nothing is left where it was"


@pytest.mark.parametrize("closing", [False, True])
async def test_who_has_written_while_another_has_built_does_not_say_that_it_is_there(tmp_path: Path, closing: bool) -> None:
    async with embedded(tmp_path) as (one, two):
        await one.backlogs.open(["acme"], 0, 1)
        if closing:
            before = one.backlogs.of("acme")
            assert before is not None
            await one.backlogs.closing(before)
        looked = one.backlogs.of("acme")
        assert looked is not None
        assert await two.backlogs.claim("acme")
        assert await two.backlogs.release("acme")
        await one.backlogs.current()
        await one.backlogs.reached(looked, 7)
        await one.backlogs.closing(looked)
        assert not await one.backlogs.close(looked)
        found = one.backlogs.of("acme")
        assert found is not None
        assert (found.offset, found.closing) == (1, closing)
        if not closing:
            await one.backlogs.reached(found, 7)
            await one.backlogs.closing(found)
        assert await one.backlogs.close(found), "having looked again, it does"


async def test_a_share_that_is_written_while_its_tenant_is_deleted_goes_too(opensearch: OpenSearch, tmp_path: Path) -> None:
    class Slower(OpenSearchIndex):
        """Somebody deletes the tenant while it writes, and is done with that before."""

        async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
            await there.index.drop(ACME)
            await control.commit("acme", deletion)
            return await super().write(entries)

    async def deletion() -> Sequence[ControlEvent]:
        gone.add("acme")
        return [ControlEvent(type="tenant_deleted", at=1, by="test")]

    gone: set[str] = set()
    async with on(opensearch, options="pools=2") as there:
        slower = Slower(there.connection)
        async with node(tmp_path, slower, pooled=True, exists=lambda tenant: tenant not in gone) as here:
            control = here.control
            await there.index.prepare(ACME, pooled=True)
            await append(here, "e0")
            await process(here)
        await slower.close()
        opensearch.ask("POST", f"{there.prefix}-pool-*/_refresh")
        assert opensearch.ask("GET", f"{there.prefix}-pool-*/_count")["count"] == 0
