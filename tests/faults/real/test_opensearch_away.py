"""OpenSearch is away, or too busy for half of what it is sent: the events wait in Kafka, and come in when it can take them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import enable_socket

from tests import engines
from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.busy_opensearch import busy_opensearch
from tests.faults.real.checking import check
from tests.faults.real.system import system
from tests.faults.real.watching import watched
from tests.servers.fixtures import made
from tests.servers.opensearch import OpenSearch


@pytest.fixture
def own() -> Iterator[OpenSearch]:
    """An OpenSearch that the test stops."""
    enable_socket()
    with made(OpenSearch, "opensearch") as server:
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("events", "seconds"), [(2_000, 10), pytest.param(50_000, 60, marks=pytest.mark.long)])
async def test_an_opensearch_that_is_away_or_busy_loses_and_doubles_nothing(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any, events: int, seconds: int
) -> None:
    dice = chance()
    async with busy_opensearch(opensearch, dice) as way:
        url = way.url(engines.on_servers(tmp_path, kafka, opensearch, openbao)["index_url"])
        async with (
            system(tmp_path, kafka, opensearch, openbao, workers=2, dice=dice, index_url=url) as (here, sender),
            watched(here.api),
        ):
            way.share = 0.5
            await sender.send(events, seconds=5)
            await here.arrived(sender.sent.count, 3 * PATIENCE)
            assert way.refused > events // 4
            way.away = True
            await sender.send(events, seconds=seconds)
            assert await here.indexed() <= sender.sent.count - events
            way.share, way.away = 0.0, False
            await check(here, sender.sent, patience=3 * PATIENCE)
            assert all(worker.running for worker in here.workers), "none needed a person"


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_an_opensearch_that_is_stopped_and_killed_loses_and_doubles_nothing(
    tmp_path: Path, kafka: Any, own: OpenSearch, openbao: Any
) -> None:
    dice = chance()
    async with system(tmp_path, kafka, own, openbao, workers=2, dice=dice) as (here, sender), watched(here.api):
        for end in (own.stop, own.kill):
            flowing = asyncio.create_task(sender.send(20_000, seconds=20))
            await asyncio.sleep(dice.uniform(2, 10))  # the random moment
            await asyncio.to_thread(end)
            await asyncio.sleep(60)  # how long it is away
            await asyncio.to_thread(own.start)
            await flowing
        await check(here, sender.sent, patience=3 * PATIENCE)
        assert all(worker.running for worker in here.workers), "none needed a person"
