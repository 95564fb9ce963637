"""Kafka is stopped and killed while events flow: all wait for it, and nothing is lost or there twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.checking import check
from tests.faults.real.system import system
from tests.faults.real.watching import watched
from tests.servers.kafka import Kafka


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("ends", "events", "longest"), [(("kill",), 2_000, 1), pytest.param(("stop", "kill") * 4, 60_000, 30, marks=pytest.mark.long)]
)
async def test_a_kafka_that_ends_and_comes_back_loses_and_doubles_nothing(
    tmp_path: Path, own: Kafka, opensearch: Any, openbao: Any, ends: tuple[str, ...], events: int, longest: int
) -> None:
    if not own.running:
        await asyncio.to_thread(own.start)
    dice = chance()
    async with system(tmp_path, own, opensearch, openbao, workers=2, dice=dice) as (here, sender), watched(here.api):
        for end in ends:
            flowing = asyncio.create_task(sender.send(events // len(ends), seconds=2))
            await asyncio.sleep(dice.uniform(0.2, 2))  # the random moment
            await asyncio.to_thread(own.stop if end == "stop" else own.kill)
            await asyncio.sleep(dice.uniform(0, longest))  # how long it is away
            await asyncio.to_thread(own.start)
            await flowing
        await check(here, sender.sent, patience=3 * PATIENCE)
        assert all(worker.running for worker in here.workers), "none needed a person"
