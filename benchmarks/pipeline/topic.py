"""The raw topic that every pipeline reads, each as a group of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from aiokafka.structs import OffsetAndMetadata

PARTITIONS = 12
_BATCH_BYTES = 250_000


class Topic:
    """A topic of keyless records."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self._partitions = [TopicPartition(name, number) for number in range(PARTITIONS)]

    def create(self) -> None:
        """Makes the topic, unless it is there."""
        asyncio.run(self._create())

    def append(self, values: Iterable[bytes]) -> None:
        """Appends the events, a batch to one partition after the other, and returns when the broker has them all."""
        asyncio.run(self._append(values))

    def skip(self, group: str) -> None:
        """The group has read what is there; it starts with what is appended from now on."""
        asyncio.run(self._skip(group))

    async def _create(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(self.name, PARTITIONS, 1)])
            for _, code, *message in answer.topic_errors:
                if code not in {0, TopicAlreadyExistsError.errno}:
                    raise RuntimeError(f"the topic {self.name} can't be made: {message}")
        finally:
            await admin.close()

    async def _append(self, values: Iterable[bytes]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, max_batch_size=_BATCH_BYTES, acks="all") as producer:
            turn = 0
            batch = producer.create_batch()
            under_way: list[asyncio.Future[object]] = []
            for value in values:
                if batch.append(key=None, value=value, timestamp=None) is None:
                    under_way.append(await producer.send_batch(batch, self.name, partition=turn % PARTITIONS))
                    turn += 1
                    batch = producer.create_batch()
                    batch.append(key=None, value=value, timestamp=None)
            under_way.append(await producer.send_batch(batch, self.name, partition=turn % PARTITIONS))
            await asyncio.gather(*under_way)

    async def _skip(self, group: str) -> None:
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False) as consumer:
            consumer.assign(self._partitions)
            ends = await consumer.end_offsets(self._partitions)
            await consumer.commit({partition: OffsetAndMetadata(end, "") for partition, end in ends.items()})
