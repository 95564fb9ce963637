"""Whoever produces raw events chooses how they are compressed."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from streams.event_log import IDP_EVENTS
from streams.log_kafka import KafkaConnection, KafkaEventLog

VALUE = b'{"type": "LOGIN"}' * 100


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
async def test_records_are_read_however_they_are_compressed(log: KafkaEventLog, connection: KafkaConnection, compression: str) -> None:
    async with AIOKafkaProducer(**connection.settings(), compression_type=compression) as producer:
        await producer.send_and_wait(f"{connection.prefix}.{IDP_EVENTS}", VALUE, partition=0)
    assert [record.value for record in await log.read(IDP_EVENTS)] == [VALUE]
