"""`kill -9` of workers, and workers that come and go, while events flow: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.checking import check
from tests.faults.real.sending import Sender
from tests.faults.real.system import System, system
from tests.faults.real.watching import watched


async def progress(here: System, sender: Sender) -> None:
    """Returns when something more has been indexed, or everything has."""
    before = await here.indexed()
    async with asyncio.timeout(PATIENCE):
        while before < sender.sent.count and await here.indexed() == before:  # noqa: ASYNC110 -- in other processes
            await asyncio.sleep(0.1)


async def replace(here: System, dice: random.Random) -> None:
    """Kills a worker, at times while it starts, and starts another in its place."""
    victim = dice.choice(here.workers)
    await victim.kill()
    here.workers.remove(victim)
    await here.work(wait=dice.random() < 0.7)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("kills", "events"), [(3, 5_000), pytest.param(20, 100_000, marks=pytest.mark.long)])
async def test_workers_that_are_killed_lose_and_double_nothing(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any, kills: int, events: int
) -> None:
    dice = chance()
    async with system(tmp_path, kafka, opensearch, openbao, workers=2, dice=dice) as (here, sender), watched(here.api):
        for _ in range(kills):
            sending = asyncio.create_task(sender.send(events // kills, seconds=2))
            await asyncio.sleep(dice.uniform(0, 3))  # the random moment
            await replace(here, dice)
            await sending
            if kills > 3:
                await progress(here, sender)  # or all but the first would be killed before they have work
        await check(here, sender.sent, patience=3 * PATIENCE)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("rounds", "events"), [(3, 3_000), pytest.param(15, 60_000, marks=pytest.mark.long)])
async def test_workers_that_come_and_go_lose_and_double_nothing(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any, rounds: int, events: int
) -> None:
    dice = chance()
    async with system(tmp_path, kafka, opensearch, openbao, workers=1, dice=dice) as (here, sender), watched(here.api):
        flowing = asyncio.create_task(sender.send(events, seconds=4 * rounds))
        for _ in range(rounds):
            await here.work(wait=dice.random() < 0.5)
            await asyncio.sleep(dice.uniform(0, 2))  # the random moment
            if dice.random() < 0.7:
                leaving = here.workers.pop(dice.randrange(len(here.workers)))
                if dice.random() < 0.7:
                    await leaving.ready.wait()  # before, it has no one to tell
                    assert await leaving.stop() == 0, "\n".join(leaving.lines)
                else:
                    await leaving.kill()
        await flowing
        if not here.workers:
            await here.work()
        await check(here, sender.sent, patience=3 * PATIENCE)
