"""A Kafka of a module's own, which it may stop, kill and freeze, and a log on it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from pytest_socket import enable_socket

from streams.log_kafka import KafkaEventLog
from tests.contract.leftovers import none_left
from tests.faults.kafka_workers import connection
from tests.servers.fixtures import made
from tests.servers.kafka import Kafka


@pytest.fixture(scope="module")
def own() -> Iterator[Kafka]:
    enable_socket()
    with made(Kafka, "kafka") as kafka:
        yield kafka


@pytest.fixture
async def log(own: Kafka) -> AsyncIterator[KafkaEventLog]:
    if not own.running:
        await asyncio.to_thread(own.start)
    async with none_left():
        log = await KafkaEventLog.open(connection(f"kafka://{own.bootstrap}/test-{uuid.uuid4().hex[:12]}?partitions=3"))
        yield log
        await log.close()
