"""A live tail of an index that fails now and then, by fifty connections that break: every event comes once, in order."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest

from services.events import live_tails
from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.services.live_tails.clients import BreakingTail
from tests.services.live_tails.faults import Faults
from tests.services.live_tails.tails import exported, send

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
async def test_fifty_connections_get_every_event_once_in_order(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    connections, batch = 50, 40
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    chance = random.Random(seed)
    faults = Faults(acme.platform.index, monkeypatch, seed)
    tail = BreakingTail(client, lambda seen: len(seen) >= connections * batch)
    sent = 0
    more = asyncio.Event()

    async def ingest() -> None:
        nonlocal sent
        for number in range(connections):
            # Each connection meets events on their way: the next ones are sent when it has begun, and nobody waits for them.
            await more.wait()
            more.clear()
            sent += batch
            await send(acme, *(f"{number}-{one}" for one in range(batch)))

    def look() -> None:
        if len(tail.seen) == sent:
            more.set()  # else it would wait for more, and the sender for the next connection

    sending = asyncio.create_task(ingest())
    async with asyncio.timeout(3 * PATIENCE):
        while not tail.done:
            more.set()
            await tail.connect(chance.randrange(200, 30_000), look)
        await sending
    assert tail.connections >= connections
    assert len(faults.met) >= 3, "the index has failed"
    monkeypatch.undo()
    await acme.settled()
    assert tail.seen == await exported(acme), "once each, in the order of the log"
    assert sorted(tail.seen) == sorted(f"{number}-{one}" for number in range(connections) for one in range(batch))
