"""The topics are made as they must be, and refused where they would lose or disorder records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, STREAMS, TENANT_LOG
from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests.servers.kafka import Kafka

DAY = 24 * 60 * 60 * 1000


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    yield client
    await client.close()


async def settings(admin: Any, topic: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def opened(connection: KafkaConnection) -> dict[str, int]:
    log = await KafkaEventLog.open(connection)
    try:
        return dict(await log.partitions())
    finally:
        await log.close()


async def test_the_logs_of_record_are_kept_for_ever_and_the_others_for_a_while(connection: KafkaConnection, admin: Any) -> None:
    await opened(connection)
    for stream, kept in {TENANT_LOG: -1, CONTROL: -1, IDP_EVENTS: 7 * DAY, DEAD_LETTERS: 90 * DAY}.items():
        found = await settings(admin, f"{connection.prefix}.{stream}")
        assert int(found["retention.ms"]) == kept
        assert found["cleanup.policy"] == "delete"
        assert int(found["max.message.bytes"]) >= 4 * 1_000_000


async def test_processes_that_start_at_once_agree(connection: KafkaConnection) -> None:
    answers = await asyncio.gather(*(opened(replace(connection, partitions=1 + n % 3)) for n in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert set(answers[0]) == set(STREAMS)


async def test_an_existing_topic_keeps_its_number_of_partitions(connection: KafkaConnection, admin: Any) -> None:
    await admin.create_topics([NewTopic(f"{connection.prefix}.{IDP_EVENTS}", 7, 1)])
    assert await opened(connection) == {IDP_EVENTS: 7, TENANT_LOG: 2, DEAD_LETTERS: 2, CONTROL: 2}


async def test_a_log_of_record_that_forgets_is_refused(connection: KafkaConnection, admin: Any) -> None:
    await admin.create_topics([NewTopic(f"{connection.prefix}.{TENANT_LOG}", 2, 1)])
    with pytest.raises(LogUnavailable, match=r"retention\.ms=604800000.*kafka-configs"):
        await opened(connection)


async def test_a_log_of_record_whose_partitions_were_changed_is_refused(connection: KafkaConnection, admin: Any) -> None:
    await opened(connection)
    await admin.create_partitions({f"{connection.prefix}.{IDP_EVENTS}": NewPartitions(3)})
    assert (await opened(connection))[IDP_EVENTS] == 3
    await admin.create_partitions({f"{connection.prefix}.{CONTROL}": NewPartitions(3)})
    with pytest.raises(LogUnavailable, match="has 3 partitions and was created with 2"):
        await opened(connection)


async def test_a_kafka_that_is_not_there_is_said_to_be(kafka: Kafka) -> None:  # the fixture allows sockets
    with pytest.raises(LogUnavailable, match="brokers run"):
        await opened(KafkaConnection(("127.0.0.1:1",), "nowhere"))
