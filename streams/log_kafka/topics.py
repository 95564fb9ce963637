"""The topics: created if they are missing, and refused if they could lose or disorder what is in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, STREAMS, TENANT_LOG
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.names import Names
from streams.log_kafka.troubles import QUESTION_SECONDS, REQUEST_MS, RETRY_SECONDS, TROUBLES, WRITE_SECONDS, passes, unavailable

_log = structlog.get_logger(__name__)
_DAY_MS: Final = 24 * 60 * 60 * 1000
_CONTROL_PARTITIONS: Final = 4

OF_RECORD: Final = (TENANT_LOG, CONTROL)
"""What is the truth: kept for ever, and with the same number of partitions for ever, because that decides where a key's records are."""

MAX_BATCH_BYTES: Final = 4 << 20
"""The topics' `max.message.bytes`: what the largest event comes to as a segment or a dead letter, and then some."""

RETENTION_MS: Final[Mapping[str, int]] = {TENANT_LOG: -1, CONTROL: -1, IDP_EVENTS: 7 * _DAY_MS, DEAD_LETTERS: 90 * _DAY_MS}
"""For how long the records of a new topic are kept; -1 is for ever. Later it is the operator's to change, except of the logs of record."""


class Topics:
    """Opens the streams' topics.

    Which logs of record there are, and with how many partitions, a topic of its own remembers: the layout.
    """

    def __init__(self, connection: KafkaConnection, names: Names) -> None:
        self._connection = connection
        self._names = names

    async def open(self) -> Mapping[str, int]:
        """Creates what is missing and checks what is there; for each stream, how many partitions its topic has.

        Safe when several processes start at once.

        Raises:
            LogUnavailable: Kafka is away, a log of record was there once, or a topic is not as it must be; the message says how to mend it.
        """
        with unavailable("open its topics"):
            deadline = time.monotonic() + QUESTION_SECONDS
            async with asyncio.timeout(WRITE_SECONDS):
                while True:
                    try:
                        return await self._opened()
                    except TROUBLES as error:  # a broker that is just being restarted is no reason not to start
                        if not passes(error) or time.monotonic() > deadline:
                            raise
                    except _Lost:  # another process may just have made it, and this broker not have heard of it yet
                        if time.monotonic() > deadline:
                            raise
                    await asyncio.sleep(RETRY_SECONDS)

    async def to_come(self) -> str | None:
        """What the next `open` makes, in words, or None if everything is there. It looks, and makes nothing.

        Raises:
            LogUnavailable: Kafka is away, or a log of record was there once.
        """
        with unavailable("look for its topics"):
            admin = AIOKafkaAdminClient(**self._connection.settings(), client_id="tenantry", request_timeout_ms=REQUEST_MS)
            try:
                async with asyncio.timeout(QUESTION_SECONDS):
                    await admin.start()
                    described = await admin.describe_topics([*map(self._names.topic, STREAMS), self._names.layout])
            finally:
                await admin.close()
        unknown = kafka_errors.UnknownTopicOrPartitionError.errno
        missing = [topic["topic"] for topic in described if topic["error_code"] == unknown]
        if self._names.layout not in missing and (lost := [name for name in map(self._names.topic, OF_RECORD) if name in missing]):
            raise _Lost(lost)
        if not missing:
            return None
        chosen = self._connection.replication
        copies = f"replication={chosen}" if chosen != -1 else "as many copies as is the brokers' default"
        return (
            f"answers; to be made by the first process that opens the log, with partitions={self._connection.partitions} and {copies}, "
            f"which stay as they are then: {', '.join(missing)}"
        )

    async def _opened(self) -> Mapping[str, int]:
        admin = AIOKafkaAdminClient(**self._connection.settings(), client_id="tenantry", request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            counts = await self._created(admin)
            await self._check_retention(admin)
        finally:
            await admin.close()
        await self._check_layout({stream: counts[stream] for stream in OF_RECORD})
        return counts

    async def _created(self, admin: Any) -> Mapping[str, int]:
        wanted = {self._names.topic(stream): self._new(stream) for stream in STREAMS}
        wanted[self._names.layout] = self._topic(self._names.layout, 1, {"cleanup.policy": "compact"})
        while True:
            described = {topic["topic"]: topic for topic in await admin.describe_topics(list(wanted))}
            missing = [
                new for name, new in wanted.items() if described[name]["error_code"] == kafka_errors.UnknownTopicOrPartitionError.errno
            ]
            if missing:
                if described[self._names.layout]["error_code"] == 0:
                    await self._check_lost({new.name for new in missing})
                await self._create(admin, missing)
            ready = [name for name, topic in described.items() if topic["error_code"] == 0 and _led(topic)]
            for name, topic in described.items():
                if topic["error_code"] == kafka_errors.TopicAuthorizationFailedError.errno:
                    raise kafka_errors.TopicAuthorizationFailedError(name)
            if len(ready) == len(wanted):
                return {stream: len(described[self._names.topic(stream)]["partitions"]) for stream in STREAMS}
            await asyncio.sleep(RETRY_SECONDS)

    async def _create(self, admin: Any, topics: Sequence[NewTopic]) -> None:
        answer = await admin.create_topics(topics)
        for name, code, *message in answer.topic_errors:
            error = kafka_errors.for_code(code)
            if code and error is not kafka_errors.TopicAlreadyExistsError:  # another process was faster
                raise error(f"topic {name}: {message[0] if message and message[0] else error.description}")

    def _new(self, stream: str) -> NewTopic:
        partitions = min(_CONTROL_PARTITIONS, self._connection.partitions) if stream == CONTROL else self._connection.partitions
        settings = {
            "cleanup.policy": "delete",
            "retention.ms": str(RETENTION_MS[stream]),
            "retention.bytes": "-1",
            "max.message.bytes": str(MAX_BATCH_BYTES),
            "message.timestamp.type": "CreateTime",
        }
        return self._topic(self._names.topic(stream), partitions, settings)

    def _topic(self, name: str, partitions: int, settings: Mapping[str, str]) -> NewTopic:
        replication = self._connection.replication
        if replication >= 3:  # else the cluster's own default: with two replicas, two in sync would stop writes when one is away
            settings = {**settings, "min.insync.replicas": "2"}
        # aiokafka lets the cluster choose (-1) only where replicas are assigned, be it to none.
        return NewTopic(name, partitions, replication, {} if replication == -1 else None, dict(settings))

    async def _check_retention(self, admin: Any) -> None:
        resources = [ConfigResource(ConfigResourceType.TOPIC, self._names.topic(stream)) for stream in OF_RECORD]
        for answer in await admin.describe_configs(resources):
            for code, message, _, name, entries in answer.resources:
                if code:
                    _log.warning("topic_not_checked", topic=name, error=message or kafka_errors.for_code(code).__name__)
                    continue
                found = {entry[0]: entry[1] for entry in entries}
                wrong = [
                    f"{setting}={found.get(setting)}"
                    for setting, right in (("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1"))
                    if found.get(setting) != right
                ]
                if wrong:
                    raise LogUnavailable(
                        f"the topic {name} is a log of record and would lose records ({', '.join(wrong)}); set "
                        "cleanup.policy=delete, retention.ms=-1 and retention.bytes=-1 (kafka-configs.sh --alter), and start again"
                    )

    async def _check_layout(self, counts: Mapping[str, int]) -> None:
        """Compares the numbers of partitions with those that the layout topic remembers, and writes down the ones that it doesn't."""
        remembered = await self._remembered()
        for stream, count in counts.items():
            before = remembered.get(stream, count)
            if before != count:
                raise LogUnavailable(
                    f"the topic {self._names.topic(stream)} has {count} partitions and was created with {before}; keys would change their "
                    "partition and lose their order. Partitions can't be removed: restore the topic, or copy the log under a new prefix"
                )
        missing = {stream: count for stream, count in counts.items() if stream not in remembered}
        if missing:
            producer = AIOKafkaProducer(**self._connection.settings(), request_timeout_ms=REQUEST_MS, enable_idempotence=True)
            try:
                await producer.start()
                for stream, count in missing.items():
                    await producer.send_and_wait(self._names.layout, str(count).encode(), key=stream.encode(), partition=0)
            finally:
                await producer.stop()

    async def _check_lost(self, missing: Collection[str]) -> None:
        """Nothing is made in place of a log of record: everything would seem well, and whoever was a tenant would be none."""
        lost = [name for stream in await self._remembered() if (name := self._names.topic(stream)) in missing]
        if lost:
            raise _Lost(lost)

    async def _remembered(self) -> Mapping[str, int]:
        place = TopicPartition(self._names.layout, 0)
        consumer = AIOKafkaConsumer(**self._connection.settings(), request_timeout_ms=REQUEST_MS, auto_offset_reset="earliest")
        remembered: dict[str, int] = {}
        try:
            await consumer.start()
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            while end and await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        # The first one counts: of two processes that start at once, both have written the same.
                        remembered.setdefault(record.key.decode(), int(record.value))
        finally:
            await consumer.stop()
        return remembered


class _Lost(LogUnavailable):
    def __init__(self, topics: Sequence[str]) -> None:
        super().__init__(
            f"{' and '.join(sorted(topics))} was there once, and is missing, and nothing is made in its place; "
            "what to do is in docs/losing.md, under Kafka"
        )


def _led(topic: Mapping[str, Any]) -> bool:
    return bool(topic["partitions"]) and all(partition["leader"] != -1 for partition in topic["partitions"])
