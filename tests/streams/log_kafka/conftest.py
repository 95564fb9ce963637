"""Logs on the shared Kafka, under a prefix of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests.contract.leftovers import none_left
from tests.servers.kafka import Kafka

Opening = Callable[[], Awaitable[KafkaEventLog]]


@pytest.fixture
def connection(kafka: Kafka) -> KafkaConnection:
    return KafkaConnection((kafka.bootstrap,), f"test-{uuid.uuid4().hex[:12]}", partitions=2)


@pytest.fixture
async def opening(connection: KafkaConnection) -> AsyncIterator[Opening]:
    """Opens the same log as often as it is called."""
    logs: list[KafkaEventLog] = []

    async def opened() -> KafkaEventLog:
        logs.append(await KafkaEventLog.open(connection))
        return logs[-1]

    async with none_left():
        yield opened
        for log in logs:
            await log.close()


@pytest.fixture
async def log(opening: Opening) -> KafkaEventLog:
    return await opening()
