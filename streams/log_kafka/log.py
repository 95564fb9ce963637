"""`KafkaEventLog`: the port `EventLog` over Kafka."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, EventLog, NewRecord, Record, Subscription
from streams.log_kafka import names
from streams.log_kafka.broker import Broker
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.control import GuardedLane
from streams.log_kafka.fold import Fold
from streams.log_kafka.group import GroupSubscription
from streams.log_kafka.lane import Job, Lane
from streams.log_kafka.reader import Readers
from streams.log_kafka.records import Addressed, checked_size
from streams.log_kafka.subscription import KafkaSubscription
from streams.log_kafka.topics import Topics


class KafkaEventLog(EventLog):
    """The streams as topics `PREFIX.STREAM`.

    - An append is a transaction; appends that come at once share one. To `control`, all appends go by a transactional id of the
      partition, so that they can be conditional (`GuardedLane`).
    - Readers and followers see committed records only. Where a process has died within a transaction, they wait until the broker
      aborts it: 10 to 20 seconds.
    - The time of a record is its writer's clock.
    """

    def __init__(self, connection: KafkaConnection, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Connects at first use, in the event loop of that use.

        Args:
            connection: the cluster, and the topics' settings.
            clock: epoch milliseconds; the time of appended records.
        """
        self._connection = connection
        self._clock = clock
        self._names = names.Names(connection.prefix)
        self._broker = Broker(connection)
        self._readers = Readers(connection)
        self._counts: Mapping[str, int] | None = None
        self._opening = asyncio.Lock()
        self._appender = Lane(connection, self._names.appender(uuid.uuid4().hex), self._seen)
        self._guarded: dict[int, GuardedLane] = {}
        self._fold = Fold(lambda places: self.follow(CONTROL, None, start=places))
        self._keyless = itertools.count()
        self._subscriptions: set[KafkaSubscription] = set()
        self._closed = False

    @classmethod
    async def open(cls, connection: KafkaConnection) -> KafkaEventLog:
        """A log whose topics are there and as they must be.

        Raises:
            LogRefused: a topic would lose or disorder records, or was there once; the message says how to mend it.
            LogUnavailable: Kafka is away.
        """
        log = cls(connection)
        try:
            await log.partitions()
        except BaseException:
            await log.close()
            raise
        return log

    @staticmethod
    async def to_come(connection: KafkaConnection) -> str | None:
        """What `open` would make of a log that is not there yet, in words, or None if it is there; looks only.

        Raises:
            LogRefused, LogUnavailable: as `open`.
        """
        return await Topics(connection, names.Names(connection.prefix)).to_come()

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        if not records:
            return []
        job = Job(await self.addressed(records))
        guarded = {record.partition for record in job.records if record.new.stream == CONTROL}
        if len(guarded) > 1:
            raise ValueError("one append can't have records of several partitions of control: append them one after another")
        return await (self._guard(*guarded) if guarded else self._appender).run(job)

    async def append_if_unchanged(self, records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        if len({(new.stream, new.key) for new in records}) != 1 or records[0].key is None:
            raise ValueError("append_if_unchanged takes records of one stream and one key")
        if records[0].stream != CONTROL:
            raise ValueError(f"in Kafka, only {CONTROL} can be appended to conditionally, not {records[0].stream}")
        job = Job(await self.addressed(records), last, condition=True)
        return await self._guard(job.records[0].partition).run(job)

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        if key is not None:
            partition = await self.partition_of(stream, key)
        topic = self._names.topic(stream)
        await self.partitions()
        # Up to the high watermark: an append that has returned may be behind the last stable offset, until its marker is there.
        end = (await self._broker.ends(topic, stable=False)).get(partition)
        if end is None:
            raise ValueError(f"{stream} has no partition {partition}")
        return await self._readers.read(stream, TopicPartition(topic, partition), key, start, end, limit)

    async def ends(self, stream: str) -> Mapping[int, int]:
        # To `control`, an append returns when its record is behind the last stable offset's back, so that this is enough there and does
        # not wait for a dead writer's open transaction. Elsewhere it may not be: see `read`. One request of about a millisecond.
        topic = self._names.topic(stream)
        await self.partitions()
        return await self._broker.ends(topic, stable=stream == CONTROL)

    async def cursors(self, stream: str, group: str) -> Mapping[int, int]:
        # One request of about a millisecond to the group's coordinator. It lags for a moment behind an advance with outputs; what this
        # process follows itself, it knows better.
        topic = self._names.topic(stream)
        count = (await self.partitions())[stream]
        found = await self._broker.committed(self._names.group(group), topic, stable=False)
        committed = {partition: cursor.offset for partition, cursor in found.items()}
        for subscription in self._subscriptions:
            if isinstance(subscription, GroupSubscription) and subscription.follows(stream, group):
                committed |= subscription.cursors
        return {partition: committed.get(partition, 0) for partition in range(count)}

    async def partition_of(self, stream: str, key: str) -> int:
        self._names.topic(stream)
        return names.partition_of(key.encode(), (await self.partitions())[stream])

    def follow(
        self,
        stream: str,
        group: str | None,
        *,
        start: Mapping[int, int] | None = None,
        max_records: int = 1000,
        max_bytes: int = 4 << 20,
        pace: float = 0.0,
    ) -> Subscription:
        topic = self._names.topic(stream)

        async def count() -> int:
            return (await self.partitions())[stream]

        async def probe() -> None:
            await self._broker.ends(topic, stable=True)

        subscription: KafkaSubscription
        if group is None:
            subscription = KafkaSubscription(
                self._connection, stream, topic, count, probe, start=start, max_records=max_records, max_bytes=max_bytes
            )
        else:
            subscription = GroupSubscription(
                self._connection, self._broker, self._names, stream, group, count, probe, self.addressed, max_records, max_bytes, pace
            )
        self._subscriptions = {one for one in self._subscriptions if not one.ended} | {subscription}
        return subscription

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._appender.close()
        for lane in self._guarded.values():
            await lane.close()
        await self._fold.close()
        await asyncio.gather(*(subscription.end() for subscription in self._subscriptions))
        await self._readers.close()
        await self._broker.close()

    async def partitions(self) -> Mapping[str, int]:
        """How many partitions each stream has; opens the topics if that has not been done.

        Raises:
            LogUnavailable: as `open`.
        """
        if self._counts is None:
            if self._closed:
                raise LogUnavailable("the event log is closed")
            async with self._opening:
                if self._counts is None:
                    self._counts = await Topics(self._connection, self._names).open()
        return self._counts

    async def addressed(self, records: Sequence[NewRecord]) -> Sequence[Addressed]:
        """The records with their partitions. Those without a key share one, another each time: one batch is cheaper than many."""
        counts = await self.partitions()
        now = self._clock()
        turn = next(self._keyless)
        topics = {stream: self._names.topic(stream) for stream in {new.stream for new in records}}
        return [
            Addressed(
                topics[new.stream],
                names.partition_of(new.key.encode(), counts[new.stream]) if new.key is not None else turn % counts[new.stream],
                now,
                new,
                checked_size(new),
            )
            for new in records
        ]

    def _guard(self, partition: int) -> GuardedLane:
        if partition not in self._guarded:
            self._guarded[partition] = GuardedLane(self._connection, self._names, self._broker, CONTROL, partition, self._fold, self._seen)
        return self._guarded[partition]

    async def _seen(self, record: Record) -> bool:
        found = await self.read(record.stream, partition=record.partition, start=record.offset, limit=1)
        return bool(found) and found[0].offset == record.offset
