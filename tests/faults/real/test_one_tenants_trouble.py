"""One tenant's index refuses an event, or everything, or is gone: that tenant waits, its events are kept, and the others notice nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.checking import check
from tests.faults.real.sending import Sender
from tests.faults.real.system import System, system
from tests.faults.real.watching import watched
from tests.processes import tenantry

BLOCKED, LOST, OTHERS = "globex", "initech", ("hooli", "made-0")
POISONED = 200


async def arrives(here: System, tenant: str, event_id: str) -> None:
    """Returns when OpenSearch has the event."""
    async with asyncio.timeout(PATIENCE):
        while not await here.there(tenant, event_id):  # noqa: ASYNC110 -- in other processes
            await asyncio.sleep(0.02)


async def delay(here: System, sender: Sender, times: int) -> float:
    """The median time from sending an event of one of the others until it is in the index."""
    found = []
    for number in range(times):
        tenant = OTHERS[number % len(OTHERS)]
        begun = time.monotonic()
        await arrives(here, tenant, await sender.one(tenant))
        found.append(time.monotonic() - begun)
    return statistics.median(found)


async def test_events_that_the_index_refuses_are_dead_letters_and_hold_up_nobody(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any
) -> None:
    async with system(tmp_path, kafka, opensearch, openbao, workers=1, dice=chance()) as (here, sender):
        index = await here.index_of("wonka")
        mappings = (await here.ask("GET", f"{index}/_mapping"))[index]["mappings"]
        mappings["properties"]["client"]["properties"]["id"] = {"type": "integer"}  # as an administrator did who knew no better
        other, alias = index.replace("_g1_", "_g9_"), f"{here.prefix}-t-wonka"
        await here.ask("PUT", other, {"mappings": mappings})
        swap = [{"add": {"index": other, "alias": alias}}, {"remove_index": {"index": index}}]
        await here.ask("POST", "_aliases", {"actions": swap})
        good = [await sender.one("wonka", clientId="17"), await sender.one("hooli")]
        before = await delay(here, sender, 10)
        flowing = asyncio.gather(*(sender.one("wonka", clientId=f"web-app-{number}") for number in range(POISONED)))
        during = await delay(here, sender, 10)
        bad = await flowing
        print(f"the others' delay: {before:.3f} s before, {during:.3f} s during")
        assert during < 3 * before + 1
        good += [await sender.one("wonka", clientId="18"), await sender.one("hooli")]
        for tenant, event_id in zip(("wonka", "hooli", "wonka", "hooli"), good, strict=True):
            await arrives(here, tenant, event_id)
        await here.arrived(len(good) + 20)
        assert not any([await here.there("wonka", event_id) for event_id in bad])
        said = await tenantry("replay", "--dead-letters", "--dry-run", "--json", data=here.data, **here.settings)
        assert said.json["reasons"] == {"index_rejected": POISONED}, said.err
        letters = await here.letters()
        assert {letter.headers["tenant"] for letter in letters} == {"wonka"}
        for event_id in bad:
            assert any(event_id.encode() in letter.value for letter in letters)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("events", [1_000, pytest.param(20_000, marks=pytest.mark.long)])
async def test_a_tenant_whose_index_is_blocked_or_gone_delays_nobody_else(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any, events: int
) -> None:
    async with system(tmp_path, kafka, opensearch, openbao, workers=2, dice=chance()) as (here, sender), watched(here.api):
        await sender.send(events)
        await here.arrived(sender.sent.count)
        before = await delay(here, sender, 10)
        index = await here.index_of(BLOCKED)
        await here.ask("PUT", f"{index}/_settings", {"index.blocks.write": True})
        await here.ask("DELETE", await here.index_of(LOST))
        present = await here.indexed(BLOCKED)
        await asyncio.gather(*(sender.one(tenant) for tenant in (BLOCKED, LOST) for _ in range(50)))
        during = await delay(here, sender, 20)
        print(f"the others' delay: {before:.3f} s before, {during:.3f} s during")
        assert during < 3 * before + 1
        assert await here.indexed(BLOCKED) == present
        await here.ask("PUT", f"{index}/_settings", {"index.blocks.write": None})
        await check(here, sender.sent, patience=2 * PATIENCE)
