"""One connection for all questions: where partitions end, where groups are, and fencing off a transactional id's last user."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.offset_fetch import UNSTABLE, OffsetFetch
from streams.log_kafka.troubles import QUESTION_SECONDS, REQUEST_MS, RETRY_SECONDS, TRANSACTION_MS, passes, unavailable

T = TypeVar("T")
_COMMITTED: Final = 1
_UNCOMMITTED: Final = 0
_MARKER_SECONDS: Final = 0.01


class Fence(NamedTuple):
    """A producer's identity; the broker refuses whoever had the same transactional id before."""

    producer: int
    epoch: int


class Cursor(NamedTuple):
    """Where a group is in a partition, and the note that was committed with it."""

    offset: int
    note: str


class Broker:
    """Asks the cluster over one client, which is started at the first question and outlives its brokers' restarts.

    Each question is one request to each broker that has a part of the answer, about a millisecond, and no new connection.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._coordinators: dict[tuple[int, str], int] = {}
        self._closed = False

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

        async def ask(client: Any) -> int:
            await _known(client, topic)
            return len(client.cluster.partitions_for_topic(topic))

        return await self._answer(f"describe {topic}", ask)

    async def ends(self, topic: str, *, stable: bool) -> Mapping[int, int]:
        """For each partition, the offset after its last record (Kafka's high watermark).

        Args:
            topic: the topic.
            stable: the last stable offset instead: before the first record of a transaction that is still open, and of one whose
                commit was answered a moment ago and is not marked in the partition yet.
        """

        async def ask(client: Any) -> Mapping[int, int]:
            await _known(client, topic)
            by_leader: dict[int, list[int]] = defaultdict(list)
            for partition in client.cluster.partitions_for_topic(topic):
                leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
                if leader is None or leader == -1:
                    raise kafka_errors.LeaderNotAvailableError(topic)
                by_leader[leader].append(partition)
            level = _COMMITTED if stable else _UNCOMMITTED
            answers = await asyncio.gather(
                *(
                    client.send(leader, OffsetRequest(-1, level, [(topic, [(one, OffsetResetStrategy.LATEST) for one in those])]))
                    for leader, those in by_leader.items()
                )
            )
            found = {}
            for answer in answers:
                for _, parts in answer.topics:
                    for partition, code, _, offset in parts:
                        _raise(code)
                        found[partition] = offset
            return found

        return await self._answer(f"ask where {topic} ends", ask)

    async def committed(self, group: str, topic: str, *, stable: bool) -> Mapping[int, Cursor]:
        """The group's cursors; partitions where it has none are left out.

        Args:
            group: its full name.
            topic: the topic.
            stable: waits for transactions that are about to change them. (After a commit is answered, that takes a moment.)
        """

        async def ask(client: Any) -> Mapping[int, Cursor]:
            await _known(client, topic)
            partitions = sorted(client.cluster.partitions_for_topic(topic))
            request = OffsetFetch(group, topic, partitions, stable=stable)
            while True:
                answer = await self._coordinated(client, CoordinationType.GROUP, group, request)
                self._raise_coordinated(answer.error_code, CoordinationType.GROUP, group)
                found = [part for _, parts, _ in answer.topics for part in parts]
                codes = {code for _, _, _, _, code, _ in found if code}
                if not codes:
                    return {partition: Cursor(offset, note or "") for partition, offset, _, note, _, _ in found if offset >= 0}
                if codes != {UNSTABLE}:
                    self._raise_coordinated(min(codes - {UNSTABLE}), CoordinationType.GROUP, group)
                await asyncio.sleep(_MARKER_SECONDS)

        return await self._answer(f"ask where group {group} is", ask)

    async def fence(self, transactional_id: str) -> Fence:
        """Makes this the id's only user. What its last user had open is ended by then: committed if that was asked for, else aborted."""

        async def ask(client: Any) -> Fence:
            request = InitProducerIdRequest(transactional_id, TRANSACTION_MS)
            answer = await self._coordinated(client, CoordinationType.TRANSACTION, transactional_id, request)
            self._raise_coordinated(answer.error_code, CoordinationType.TRANSACTION, transactional_id)
            return Fence(answer.producer_id, answer.producer_epoch)

        return await self._answer(f"fence {transactional_id}", ask)

    async def close(self) -> None:
        """Closes its connections."""
        self._closed = True
        await self._disconnect()

    async def _answer(self, doing: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Asks again, within bounds, as long as that can help."""
        last: BaseException = TimeoutError()
        with unavailable(doing):
            try:
                async with asyncio.timeout(QUESTION_SECONDS):
                    while True:
                        try:
                            return await ask(await self._connected())
                        except kafka_errors.KafkaError as error:
                            if self._closed or not passes(error):
                                raise
                            last = error
                        if self._client is not None:
                            self._client.force_metadata_update()
                        await asyncio.sleep(RETRY_SECONDS)
            except TimeoutError:
                await self._disconnect()  # the next question begins with the servers of the settings: the cluster may have moved
                raise last from None

    async def _connected(self) -> Any:
        if self._closed:
            raise LogUnavailable("the event log is closed")
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    client = AIOKafkaClient(**self._connection.settings(), client_id="tenantry", request_timeout_ms=REQUEST_MS)
                    try:
                        await client.bootstrap()
                    except BaseException:
                        await client.close()
                        raise
                    self._client = client
        return self._client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        self._coordinators.clear()
        if client is not None:
            await client.close()

    async def _coordinated(self, client: Any, kind: int, key: str, request: Any) -> Any:
        node = self._coordinators.get((kind, key))
        if node is None:
            node = self._coordinators[kind, key] = await client.coordinator_lookup(kind, key)
        try:
            return await client.send(node, request, group=ConnectionGroup.COORDINATION)
        except kafka_errors.KafkaError:
            self._coordinators.pop((kind, key), None)
            raise

    def _raise_coordinated(self, code: int, kind: int, key: str) -> None:
        if code:
            self._coordinators.pop((kind, key), None)
        _raise(code)


async def _known(client: Any, topic: str) -> None:
    if client.cluster.partitions_for_topic(topic) is None:
        client.add_topic(topic)
        await client.force_metadata_update()
        if client.cluster.partitions_for_topic(topic) is None:
            if topic in client.cluster.unauthorized_topics:
                raise kafka_errors.TopicAuthorizationFailedError(topic)
            raise kafka_errors.UnknownTopicOrPartitionError(topic)


def _raise(code: int) -> None:
    if code:
        error: type[Exception] = kafka_errors.for_code(code)
        raise error
