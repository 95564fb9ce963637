"""`Layout`: a compacted topic that remembers the logs of record: which there are, and with how many partitions each was made."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.troubles import REQUEST_MS


class Layout:
    """What is written in the topic, by the streams' names."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self.topic = topic

    async def read(self) -> Mapping[str, int]:
        """How many partitions each log of record was made with. The topic must be there.

        Raises:
            KafkaError, OSError: Kafka is away.
        """
        place = TopicPartition(self.topic, 0)
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

    async def note(self, counts: Mapping[str, int]) -> None:
        """Writes them down, for good.

        Raises:
            KafkaError, OSError: Kafka is away.
        """
        producer = AIOKafkaProducer(**self._connection.settings(), request_timeout_ms=REQUEST_MS, enable_idempotence=True)
        try:
            await producer.start()
            for stream, count in counts.items():
                await producer.send_and_wait(self.topic, str(count).encode(), key=stream.encode(), partition=0)
        finally:
            await producer.stop()
