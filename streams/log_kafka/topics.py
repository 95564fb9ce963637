"""The topics: created if they are missing, and refused if they could lose or disorder what is in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.metadata import MetadataRequest

from streams.errors import LogRefused
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, STREAMS, TENANT_LOG
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.layout import Layout
from streams.log_kafka.names import Names
from streams.log_kafka.troubles import QUESTION_SECONDS, REQUEST_MS, RETRY_SECONDS, TROUBLES, WRITE_SECONDS, passes, unavailable

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_UNKNOWN: Final = kafka_errors.UnknownTopicOrPartitionError.errno
_DAY_MS: Final = 24 * 60 * 60 * 1000
_CONTROL_PARTITIONS: Final = 4

OF_RECORD: Final = (TENANT_LOG, CONTROL)
"""What is the truth: kept for ever, and with the same number of partitions for ever, because that decides where a key's records are."""

MAX_BATCH_BYTES: Final = 4 << 20
"""The topics' `max.message.bytes`: what the largest event comes to as a segment or a dead letter, and then some."""

RETENTION_MS: Final[Mapping[str, int]] = {TENANT_LOG: -1, CONTROL: -1, IDP_EVENTS: 7 * _DAY_MS, DEAD_LETTERS: 90 * _DAY_MS}
"""For how long the records of a new topic are kept; -1 is for ever. Later it is the operator's to change, except of the logs of record."""


class Topics:
    """Opens the streams' topics."""

    def __init__(self, connection: KafkaConnection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._layout = Layout(connection, names.layout)

    async def open(self) -> Mapping[str, int]:
        """Creates what is missing and checks what is there; for each stream, how many partitions its topic has.

        Safe when several processes start at once.

        Raises:
            LogRefused: a log of record was there once, or a topic is not as it must be; the message says how to mend it.
            LogUnavailable: Kafka is away.
        """
        return await self._tried("open its topics", self._opened)

    async def to_come(self) -> str | None:
        """What the next `open` makes for good, in words, or None if everything is there. It looks, and makes nothing.

        Raises:
            LogRefused, LogUnavailable: as `open`.
        """
        return await self._tried("look for its topics", self._looked)

    async def _tried(self, doing: str, work: Callable[[Any], Awaitable[_T]]) -> _T:
        with unavailable(doing):
            deadline = time.monotonic() + QUESTION_SECONDS
            async with asyncio.timeout(WRITE_SECONDS):
                while True:
                    admin = AIOKafkaAdminClient(**self._connection.settings(), client_id="tenantry", request_timeout_ms=REQUEST_MS)
                    try:
                        await admin.start()
                        return await work(admin)
                    except TROUBLES as error:  # a broker that is just being restarted is no reason not to start
                        if not passes(error) or time.monotonic() > deadline:
                            raise
                    except _Lost:  # another process may just have made it, and this broker not have heard of it yet
                        if time.monotonic() > deadline:
                            raise
                    finally:
                        await admin.close()
                    await asyncio.sleep(RETRY_SECONDS)

    async def _opened(self, admin: Any) -> Mapping[str, int]:
        counts = await self._created(admin)
        of_record = {stream: counts[stream] for stream in OF_RECORD}
        await self._check_retention(admin, OF_RECORD)
        remembered = await self._layout.read()
        self._check_counts(of_record, remembered)
        if unnoted := {stream: count for stream, count in of_record.items() if stream not in remembered}:
            await self._layout.note(unnoted)
        return counts

    async def _looked(self, admin: Any) -> str | None:
        found = await self._described(admin)
        missing = [name for name, topic in found.items() if topic["error_code"] == _UNKNOWN]
        remembered = await self._remembered(found)
        there = {
            stream: len(found[name]["partitions"]) for stream in OF_RECORD if found[name := self._names.topic(stream)]["error_code"] == 0
        }
        await self._check_retention(admin, there)
        self._check_counts(there, remembered)
        if missing:
            chosen = self._connection.replication
            copies = f"replication={chosen}" if chosen != -1 else "as many copies as is the brokers' default"
            return (
                f"answers; to be made by the first process that opens the log, with partitions={self._connection.partitions} and {copies}, "
                f"which stay as they are then: {', '.join(missing)}"
            )
        if there.keys() - remembered.keys():
            return "answers; the first process that opens the log notes how many partitions its topics have, which stay as they are then"
        return None

    async def _described(self, admin: Any) -> dict[str, Any]:
        """The topics by their names, whether they are there or not.

        Raises:
            TopicAuthorizationFailedError: one of them is hidden from Tenantry's user: it may be there or not.
        """
        names = [*map(self._names.topic, STREAMS), self._names.layout]
        # Not `describe_topics`, by which Kafka makes what is missing, as it likes, where its `auto.create.topics.enable` is as it comes.
        answer = await admin._send_request(MetadataRequest(names, allow_auto_topic_creation=False))  # noqa: SLF001
        found = {topic["topic"]: topic for topic in answer.to_object()["topics"]}
        for name, topic in found.items():
            if topic["error_code"] == kafka_errors.TopicAuthorizationFailedError.errno:
                raise kafka_errors.TopicAuthorizationFailedError(name)
        return found

    async def _remembered(self, found: Mapping[str, Any]) -> Mapping[str, int]:
        """What the layout remembers, each log of which is there. Nothing is made in place of one that is not: everything would seem well.

        Raises:
            LogRefused: one is not.
        """
        if found[self._names.layout]["error_code"] == _UNKNOWN:
            return {}
        remembered = await self._layout.read()
        if lost := [name for stream in remembered if found[name := self._names.topic(stream)]["error_code"] == _UNKNOWN]:
            raise _Lost(lost)
        return remembered

    async def _created(self, admin: Any) -> Mapping[str, int]:
        while True:
            found = await self._described(admin)
            missing = [name for name, topic in found.items() if topic["error_code"] == _UNKNOWN]
            if (layout := self._names.layout) in missing:
                # By itself: who has just started may not have heard of what is there, and only the layout tells of what has gone.
                await self._create(admin, [self._topic(layout, 1, {"cleanup.policy": "compact"})])
            elif missing and _led(found[layout]):
                await self._remembered(found)
                await self._create(admin, [self._new(stream) for stream in STREAMS if self._names.topic(stream) in missing])
            elif all(topic["error_code"] == 0 and _led(topic) for topic in found.values()):
                return {stream: len(found[self._names.topic(stream)]["partitions"]) for stream in STREAMS}
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

    async def _check_retention(self, admin: Any, streams: Iterable[str]) -> None:
        resources = [ConfigResource(ConfigResourceType.TOPIC, self._names.topic(stream)) for stream in streams]
        for answer in await admin.describe_configs(resources) if resources else ():
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
                    raise LogRefused(
                        f"the topic {name} is a log of record and would lose records ({', '.join(wrong)}). If you made it, set "
                        "cleanup.policy=delete, retention.ms=-1 and retention.bytes=-1 (kafka-configs.sh --alter), and start "
                        "again. If Kafka made it by itself, another one may be lost: set auto.create.topics.enable=false, and "
                        "read docs/losing.md, under Kafka"
                    )

    def _check_counts(self, counts: Mapping[str, int], remembered: Mapping[str, int]) -> None:
        for stream, count in counts.items():
            before = remembered.get(stream, count)
            if before != count:
                raise LogRefused(
                    f"the topic {self._names.topic(stream)} has {count} partitions and was created with {before}; keys would change their "
                    "partition and lose their order. Partitions can't be removed: restore the topic, or copy the log under a new prefix"
                )


class _Lost(LogRefused):
    def __init__(self, topics: Sequence[str]) -> None:
        super().__init__(
            f"{' and '.join(sorted(topics))} was there once, and is missing, and nothing is made in its place; "
            "what to do is in docs/losing.md, under Kafka"
        )


def _led(topic: Mapping[str, Any]) -> bool:
    return bool(topic["partitions"]) and all(partition["leader"] != -1 for partition in topic["partitions"])
