"""A live tail and a client that polls, side by side, while 2,000 events a second arrive and the index fails now and then."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import httpx
import pytest

from services.events import live_tails
from streams.processors import catch_up
from tests import engines
from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.processes import OWN
from tests.services.live_tails.clients import TAIL, BreakingTail, ForgetfulPoll
from tests.services.live_tails.faults import Faults
from tests.services.live_tails.steady_sender import LAST, SECONDS, sending
from tests.services.live_tails.tails import exported

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
TIMES: Final = 50
"""How often the one breaks within a frame, and how many answers the other loses, while events arrive."""


@pytest.mark.long
@pytest.mark.skipif(engines.REAL, reason="the servers would want the processors that the rate needs")
async def test_a_tail_that_breaks_and_a_poll_that_forgets_get_every_event_once_in_order(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Faults come far more often than in life: what waits for one to pass would always wait.
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    monkeypatch.setattr(catch_up, "_ROUND_SECONDS", 0.1)
    faults = Faults(acme.platform.index, monkeypatch, seed=1, writes=0.03)
    chance = random.Random(1)
    tail = BreakingTail(client, lambda seen: seen[-1:] == [LAST])
    poll = ForgetfulPoll(client, lambda seen: seen[-1:] == [LAST], chance)
    enough = asyncio.Event()

    def look() -> None:
        if min(tail.within, poll.lost) >= TIMES:
            enough.set()

    async def listen() -> None:
        while not tail.done:
            await tail.connect(chance.randrange(200, 200_000))
            look()

    async def ask() -> None:
        while not poll.done:
            await poll.ask()
            look()

    async with asyncio.timeout(SECONDS + 2 * PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(listen())
        group.create_task(ask())
        sent = await sending(acme.platform.settings.data, enough)
        print(f"{sent.events} events in time, the latest {sent.late:.3f} s late; seen meanwhile: {len(tail.seen)}, {len(poll.seen)}")
        print(f"meanwhile {tail.broken} of {tail.connections} connections broken, {poll.lost} answers lost and {poll.kept} kept")
    print(
        f"in all {tail.broken} connections broken, {poll.lost} answers lost, {poll.kept} kept, {poll.refused} refused; {dict(faults.met)}"
    )

    assert sent.late < 1, "it did not keep its rate: that everything came would prove nothing"
    assert poll.refused
    assert set(faults.met) == {"tail", "refresh", "write", "deferral"}, "the index has failed in every way"
    monkeypatch.undo()
    await acme.settled()
    assert await exported(acme) == sent.acmes, "who appends one after the other makes the order of the log"
    assert tail.seen == sent.acmes
    assert poll.seen == sent.acmes
    for place in (tail.last, poll.cursor):
        rest = (await client.get(TAIL, params={"q": OWN, "after": place})).json()
        assert rest["events"] == [], "nothing comes behind the last"
    assert await exported(acme, "globex") == sent.globexes, "whose events came between Acme's, and were seen by neither"
