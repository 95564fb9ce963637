"""The topics are made as they must be, and refused where they would lose or disorder records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError
from pytest_socket import enable_socket

from streams.errors import LogRefused, LogUnavailable
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, STREAMS, TENANT_LOG
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka.names import LAYOUT
from streams.log_kafka.topics import Topics
from tests.servers.fixtures import made
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


async def grow(admin: Any, topic: str) -> None:
    """To three partitions; the answer comes before the broker itself knows of them."""
    await admin.create_partitions({topic: NewPartitions(3)})
    async with asyncio.timeout(30):
        while len((await admin.describe_topics([topic]))[0]["partitions"]) != 3:  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.05)


async def delete(admin: Any, topic: str) -> None:
    """Returns when it is gone; the answer comes before."""
    await admin.delete_topics([topic])
    async with asyncio.timeout(30):
        while topic in await admin.list_topics():  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.05)


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
    with pytest.raises(LogRefused, match=r"retention\.ms=604800000.*kafka-configs"):
        await opened(connection)


async def test_a_log_of_record_whose_partitions_were_changed_is_refused(connection: KafkaConnection, admin: Any) -> None:
    await opened(connection)
    await grow(admin, f"{connection.prefix}.{IDP_EVENTS}")
    assert (await opened(connection))[IDP_EVENTS] == 3
    await grow(admin, f"{connection.prefix}.{CONTROL}")
    with pytest.raises(LogRefused, match="has 3 partitions and was created with 2"):
        await opened(connection)


async def test_looking_for_the_topics_makes_none(connection: KafkaConnection, admin: Any) -> None:
    to_come = await KafkaEventLog.to_come(connection)
    assert to_come is not None
    assert f"{connection.prefix}.{TENANT_LOG}" in to_come
    assert f"partitions={connection.partitions}" in to_come
    assert [name for name in await admin.list_topics() if name.startswith(f"{connection.prefix}.")] == []
    await admin.create_topics([NewTopic(f"{connection.prefix}.{IDP_EVENTS}", 7, 1)])
    some = await KafkaEventLog.to_come(replace(connection, replication=1))
    assert some is not None
    assert f"{connection.prefix}.{IDP_EVENTS}" not in some, "the operator has made it"
    assert "replication=1" in some
    await opened(connection)
    assert await KafkaEventLog.to_come(connection) is None


async def test_looking_notes_nothing_of_topics_that_the_operator_has_made(connection: KafkaConnection, admin: Any) -> None:
    for_ever = {"retention.ms": "-1"}
    for stream in STREAMS:
        await admin.create_topics([NewTopic(f"{connection.prefix}.{stream}", 2, 1, topic_configs=for_ever)])
    await admin.create_topics([NewTopic(f"{connection.prefix}.{LAYOUT}", 1, 1, topic_configs={"cleanup.policy": "compact"})])
    assert "notes how many partitions" in str(await KafkaEventLog.to_come(connection))
    await grow(admin, f"{connection.prefix}.{TENANT_LOG}")  # nobody has written anything yet, so they may
    assert (await opened(connection))[TENANT_LOG] == 3
    assert await KafkaEventLog.to_come(connection) is None


async def test_where_there_is_nothing_but_the_layout_nothing_was_there_once(connection: KafkaConnection, admin: Any) -> None:
    """As after a start that the cluster has refused all other topics."""
    await admin.create_topics([NewTopic(f"{connection.prefix}.{LAYOUT}", 1, 1, topic_configs={"cleanup.policy": "compact"})])
    assert f"{connection.prefix}.{CONTROL}" in str(await KafkaEventLog.to_come(connection))
    assert set(await opened(connection)) == set(STREAMS)


async def test_looking_sees_what_is_wrong_with_what_is_there_though_something_is_missing(connection: KafkaConnection, admin: Any) -> None:
    await admin.create_topics([NewTopic(f"{connection.prefix}.{TENANT_LOG}", 2, 1)])
    with pytest.raises(LogRefused, match=r"retention\.ms=604800000"):
        await KafkaEventLog.to_come(connection)


class MakingKafka(Kafka):
    """A Kafka that makes each topic that it is asked about, which is how it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._properties.write_text(
            self._properties.read_text().replace("auto.create.topics.enable=false", "auto.create.topics.enable=true")
        )


async def test_a_kafka_that_makes_topics_by_itself_makes_none_of_these() -> None:
    enable_socket()
    with made(MakingKafka, "kafka") as kafka:
        connection = KafkaConnection((kafka.bootstrap,), "test", partitions=2)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            assert await KafkaEventLog.to_come(connection) is not None
            assert await admin.list_topics() == []
            await opened(connection)
            assert (await settings(admin, f"test.{CONTROL}"))["retention.ms"] == "-1"
            await delete(admin, f"test.{CONTROL}")
            for _ in range(2):
                with pytest.raises(LogRefused, match="control was there once"):
                    await opened(connection)
            await admin.describe_topics([f"test.{CONTROL}"])  # as clients do that still run: now it is made
            with pytest.raises(LogRefused, match=r"auto\.create\.topics\.enable=false.*docs/losing\.md"):
                await opened(connection)
        finally:
            await admin.close()


@pytest.mark.parametrize("lost", [TENANT_LOG, CONTROL])
async def test_a_log_of_record_that_has_gone_is_told_and_not_replaced(connection: KafkaConnection, admin: Any, lost: str) -> None:
    await opened(connection)
    await delete(admin, f"{connection.prefix}.{lost}")
    with pytest.raises(LogRefused, match=rf"{lost} was there once.*docs/losing\.md"):
        await KafkaEventLog.to_come(connection)
    with pytest.raises(LogRefused, match=rf"{lost} was there once.*docs/losing\.md"):
        await opened(connection)
    assert f"{connection.prefix}.{lost}" not in await admin.list_topics(), "nothing was made in its place"


async def test_a_broker_that_has_heard_of_nothing_yet_has_nothing_made_in_its_place(
    connection: KafkaConnection, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(connection)
    await delete(admin, f"{connection.prefix}.{CONTROL}")
    described, answers = Topics._described, 0

    async def just_started(self: Topics, client: Any) -> dict[str, Any]:
        nonlocal answers
        answers += 1
        found = await described(self, client)
        if answers == 1:
            return {name: {"topic": name, "error_code": UnknownTopicOrPartitionError.errno, "partitions": []} for name in found}
        return found

    monkeypatch.setattr(Topics, "_described", just_started)
    with pytest.raises(LogRefused, match="control was there once"):
        await opened(connection)
    assert answers > 1
    assert f"{connection.prefix}.{CONTROL}" not in await admin.list_topics()


async def test_a_topic_that_is_no_log_of_record_is_made_again(connection: KafkaConnection, admin: Any) -> None:
    there = await opened(connection)
    await delete(admin, f"{connection.prefix}.{DEAD_LETTERS}")
    assert await opened(connection) == there


async def test_a_kafka_that_is_not_there_is_said_to_be(kafka: Kafka) -> None:  # the fixture allows sockets
    with pytest.raises(LogUnavailable, match="brokers run"):
        await opened(KafkaConnection(("127.0.0.1:1",), "nowhere"))
    with pytest.raises(LogUnavailable, match="brokers run"):
        await KafkaEventLog.to_come(KafkaConnection(("127.0.0.1:1",), "nowhere"))
