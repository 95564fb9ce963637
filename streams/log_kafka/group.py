"""`GroupSubscription`: an open `follow` as a member of a group, which shares the partitions among its members."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable, Overtaken
from streams.event_log import CONTROL, Batch, NewRecord, Record
from streams.log_kafka.advances import Advance, Advances, shares
from streams.log_kafka.broker import Broker, Cursor
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.consumer import Consumer, Listener
from streams.log_kafka.member import Member
from streams.log_kafka.names import Names
from streams.log_kafka.producer import InDoubt, NotWritten
from streams.log_kafka.records import Addressed
from streams.log_kafka.subscription import KafkaSubscription
from streams.log_kafka.tenure import Tenure
from streams.log_kafka.troubles import RETRY_SECONDS, TROUBLES, WRITE_SECONDS, explained, passes

_GRACE_SECONDS: Final = 10.0
"""How long a rebalance waits for the batches in the caller's hands. Those that take longer are overtaken, if the partition moves."""


class GroupSubscription(KafkaSubscription):
    """Each partition is followed by one member at a time, and advanced by that member only.

    Every member has a transactional id of its own, which it notes beside each cursor that it commits. A member that is given partitions
    first takes the ids that are noted there, which ends what the members before had open and refuses them from then on, and its own;
    then it reads the group's cursors; then it commits the same cursors again with its own id, which Kafka refuses to a member that has
    been replaced meanwhile. Only then it hands out batches. An advance with outputs is a transaction with that id; one without is a
    commit, which Kafka refuses to a member that has been replaced. So no two members can both advance past the same record.

    A member that is fenced off and goes on with other partitions takes its id again, and loses only the time.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        broker: Broker,
        names: Names,
        stream: str,
        group: str,
        partitions: Callable[[], Awaitable[int]],
        probe: Callable[[], Awaitable[object]],
        addressed: Callable[[Sequence[NewRecord]], Awaitable[Sequence[Addressed]]],
        max_records: int,
        max_bytes: int,
        pace: float,
    ) -> None:
        super().__init__(connection, stream, names.topic(stream), partitions, probe, max_records=max_records, max_bytes=max_bytes)
        self._broker = broker
        self._names = names
        self._group = group
        self._pace = pace
        self._addressed = addressed
        self._member = Member(connection, broker, names, group, stream)
        self._advances = Advances(self._write, paced=pace > 0)
        self._tenures: dict[int, Tenure] = {}
        self._assigned = asyncio.Event()
        self._rebalances = 0
        self._revoking = False
        self._advanced = asyncio.Condition()
        self._settling = asyncio.Lock()

    async def advance(self, batch: Batch, outputs: Sequence[NewRecord] = ()) -> Sequence[Record]:
        if batch.group is None:
            raise ValueError("a batch of a follower without a group has no cursor to advance")
        if any(new.stream == CONTROL for new in outputs):
            raise ValueError(f"outputs can't go to {CONTROL}: append them")
        addressed = await self._addressed(outputs)
        deadline = time.monotonic() + WRITE_SECONDS
        while True:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    tenure = await self._owned(batch)
                    if (appended := tenure.done.get(batch)) is not None:
                        return appended
                    if tenure.outstanding[0] is not batch:
                        raise ValueError("the batches of a partition are advanced in the order in which they came")
                    return await self._advances.run(batch, addressed, alone=tenure.alone)
            except (NotWritten, InDoubt, LogUnavailable, *TROUBLES) as error:
                cause = error.__cause__ if isinstance(error, NotWritten | InDoubt) else error
                if self._ended or time.monotonic() >= deadline or not passes(cause):
                    raise explained(f"advance in {self._topic}", cause or error) from error
                await asyncio.sleep(RETRY_SECONDS)

    @property
    def cursors(self) -> Mapping[int, int]:
        """Where the group is in the partitions that this member alone can advance in."""
        return {partition: tenure.cursor for partition, tenure in self._tenures.items() if tenure.settled}

    def follows(self, stream: str, group: str) -> bool:
        """Whether it is of this group in this stream."""
        return (stream, group) == (self._stream, self._group) and not self._ended

    async def end(self) -> None:
        self._ended = True
        await self._notify()
        await super().end()
        await self._advances.end()
        await self._member.discard()

    def take(self, *, whole: bool = True) -> Batch | None:
        if self._revoking:
            return None
        tenure = self.pick([tenure for tenure in self._tenures.values() if tenure.settled and tenure.waiting], whole=whole)
        if tenure is None:
            return None
        batch = tenure.take(self._stream, self._group, self._max_records, self._max_bytes)
        tenure.outstanding.append(batch)
        return batch

    async def open(self) -> Consumer:
        await self._partitions()
        consumer = Consumer(self._connection, max_bytes=self._max_bytes, group=self._names.group(self._group))
        try:
            await consumer.start()
            consumer.subscribe([self._topic], listener=Listener(self.revoked, partial(self.assigned, consumer)))
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def ready(self) -> bool:
        if self._revoking or not self._assigned.is_set():
            await asyncio.sleep(RETRY_SECONDS)
            return False
        try:
            await self._settle()
        except (kafka_errors.CommitFailedError, kafka_errors.IllegalStateError):
            await asyncio.sleep(RETRY_SECONDS)  # another rebalance has begun, of which the listener is about to hear
            return False
        return not self._revoking

    async def close_consumer(self) -> None:
        self._assigned.clear()
        self._unsettle()
        await super().close_consumer()

    async def revoked(self) -> None:
        """A rebalance begins: nothing more is handed out; it waits a little for what is in the caller's hands."""
        self._revoking = True
        for tenure in self._tenures.values():
            tenure.forget()
        try:
            async with asyncio.timeout(_GRACE_SECONDS), self._advanced:
                await self._advanced.wait_for(lambda: self._ended or not any(tenure.outstanding for tenure in self._tenures.values()))
        except TimeoutError:
            pass
        self._assigned.clear()

    async def assigned(self, consumer: Consumer, parts: Iterable[TopicPartition]) -> None:
        """A rebalance has ended. Whether batches in the caller's hands are still valid is seen when the partition is settled."""
        consumer.pause(*parts)
        self._rebalances += 1
        before, self._tenures = self._tenures, {}
        for part in parts:
            self._tenures[part.partition] = before.get(part.partition) or Tenure(part.partition, self._pace)
        self._unsettle()
        self._places = dict(self._tenures)
        self._revoking = False
        self._assigned.set()

    async def _owned(self, batch: Batch) -> Tenure:
        """The settled tenure that the batch belongs to."""
        while not self._assigned.is_set():
            step = self.step()  # which the caller may not be waiting for now
            await asyncio.wait({step})
            self.stepped(step)
        await self._settle()
        tenure = self._tenures.get(batch.partition)
        if tenure is not None and not tenure.settled:
            raise kafka_errors.IllegalStateError(f"another rebalance of {self._group} has begun")
        if tenure is None or not any(one is batch for one in tenure.outstanding):
            if tenure is not None and batch in tenure.done:
                return tenure
            raise Overtaken(batch.stream, str(batch.group))
        return tenure

    async def _settle(self) -> None:
        """Makes this member the only one that can advance in its partitions, and finds out where the group is."""
        async with self._settling:
            consumer, rebalance, mine = self._consumer, self._rebalances, list(self._tenures.values())
            if consumer is None or all(tenure.settled for tenure in mine):
                return
            self._unsettle()  # all of them, as all depend on the one id
            before = await self._cursors(stable=False)
            await self._member.take_over([before[one.partition] for one in mine if one.partition in before])
            found = await self._cursors(stable=True)
            cursors = {one.partition: found[one.partition].offset if one.partition in found else 0 for one in mine}
            await consumer.commit(self._member.noted({self.part(partition): cursor for partition, cursor in cursors.items()}))
            if rebalance != self._rebalances:
                return  # it begins again with what is assigned now
            for tenure in mine:
                tenure.settle(cursors[tenure.partition])
                consumer.seek(self.part(tenure.partition), tenure.next)
                consumer.resume(self.part(tenure.partition))
            await self._notify()

    async def _cursors(self, *, stable: bool) -> Mapping[int, Cursor]:
        return await self._broker.committed(self._names.group(self._group), self._topic, stable=stable)

    async def _write(self, advances: Sequence[Advance]) -> Sequence[Sequence[Record]]:
        tenures = [self._tenures.get(one.batch.partition) for one in advances]
        for one, tenure in zip(advances, tenures, strict=True):
            if tenure is None or not tenure.settled or not tenure.outstanding or tenure.outstanding[0] is not one.batch:
                raise kafka_errors.IllegalStateError(f"another rebalance of {self._group} has begun")
        held = [tenure for tenure in tenures if tenure is not None]
        outputs = [record for one in advances for record in one.outputs]
        cursors = {self.part(one.batch.partition): one.batch.end for one in advances}
        placed: Sequence[Record] = ()
        try:
            if outputs:
                placed = await self._member.transact(outputs, cursors)
            else:
                assert self._consumer is not None
                await self._consumer.commit(self._member.noted(cursors))
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, NotWritten | InDoubt) else error
            if isinstance(error, InDoubt) or not outputs:
                records = error.records if isinstance(error, InDoubt) else ()
                for one, tenure, part in zip(advances, held, shares(advances, records), strict=True):
                    tenure.doubt = one.batch, part
            for tenure in held:
                tenure.alone |= not passes(cause)
            self._unsettle()  # the next attempt fences, ends what is open, and looks where the group is
            raise
        answers = shares(advances, placed)
        for one, tenure, part in zip(advances, held, answers, strict=True):
            tenure.advanced(one.batch, part)
        await self._notify()
        return answers

    def _unsettle(self) -> None:
        for tenure in self._tenures.values():
            tenure.unsettle()

    async def _notify(self) -> None:
        async with self._advanced:
            self._advanced.notify_all()
