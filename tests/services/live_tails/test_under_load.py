"""A live tail and a client that polls, side by side, while 2,000 events a second arrive and the index fails now and then."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest

from services.events import live_tails
from tests import engines
from tests.platforms import Site
from tests.processes import OWN, PATIENCE
from tests.services.live_tails.clients import TAIL, BreakingTail, ForgetfulPoll
from tests.services.live_tails.faults import Faults
from tests.services.live_tails.steady_sender import EVENTS, SECONDS, acmes, globexes, sending
from tests.services.live_tails.tails import exported

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.mark.long
@pytest.mark.skipif(engines.REAL, reason="the servers would want the processors that the rate needs")
async def test_a_tail_that_breaks_and_a_poll_that_forgets_get_every_event_once_in_order(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    faults = Faults(acme.platform.index, monkeypatch, seed=1)
    chance = random.Random(1)
    tail, poll = BreakingTail(client, EVENTS), ForgetfulPoll(client, EVENTS, chance)

    async def listen() -> None:
        while not tail.done:
            await tail.connect(chance.randrange(200, 200_000))

    async def ask() -> None:
        while not poll.done:
            await poll.ask()

    async with asyncio.timeout(SECONDS + 2 * PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(listen())
        group.create_task(ask())
        late = await sending(client)
        broken, within, lost = tail.broken, tail.within, poll.lost  # while events arrived
        print(f"the latest {late:.3f} s late; seen meanwhile: {len(tail.seen)} and {len(poll.seen)} events")
    print(f"{tail.connections} connections; {broken} broken meanwhile, {within} of them within a frame")
    print(f"{poll.kept} answers kept, {poll.refused} refused; {lost} lost meanwhile; {dict(faults.met)}")

    assert late < 1, "it did not keep its rate: that all of it came would prove nothing"
    assert min(broken, within, lost) >= 50
    assert poll.refused
    assert min(faults.met[what] for what in ("tail", "refresh", "write", "deferral")) > 1, "the index has failed in every way, and again"
    monkeypatch.undo()
    await acme.settled()
    assert await exported(acme) == acmes(), "one sender, one request after the other: the log's order is the sender's"
    assert tail.seen == acmes()
    assert poll.seen == acmes()
    for place in (tail.last, poll.cursor):
        rest = (await client.get(TAIL, params={"q": OWN, "after": place})).json()
        assert rest["events"] == [], "nothing comes behind the last"
    assert await exported(acme, "globex") == globexes(), "whose events came between Acme's, and were seen by neither"
