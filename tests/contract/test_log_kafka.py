"""Kafka keeps the contract of `EventLog`."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator

import pytest

from streams.event_log import EventLog
from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests.contract.event_log import EventLogContract, Open
from tests.contract.leftovers import none_left
from tests.contract.log_writers import Writers, write
from tests.servers.kafka import Kafka


class TestKafkaEventLog(EventLogContract):
    @pytest.fixture
    def url(self, kafka: Kafka) -> str:
        return f"kafka://{kafka.bootstrap}/test-{uuid.uuid4().hex[:12]}?partitions=3"

    @pytest.fixture
    async def opening(self, url: str) -> AsyncIterator[Open]:
        logs: list[EventLog] = []

        async def opened() -> EventLog:
            logs.append(await KafkaEventLog.open(KafkaConnection.from_url(url)))
            return logs[-1]

        async with none_left():
            yield opened
            for log in logs:
                await log.close()

    @pytest.fixture
    async def writers(self, url: str) -> Writers:
        return Writers(__name__, url)


async def _main() -> None:
    what, name, count, url = sys.argv[1:]
    await write(KafkaEventLog(KafkaConnection.from_url(url)), what, name, int(count))


if __name__ == "__main__":
    asyncio.run(_main())
