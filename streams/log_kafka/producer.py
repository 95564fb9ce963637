"""`Producer`: one transaction after another, each of which surely happened, surely did not, or is in doubt."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.event_log import Record
from streams.log_kafka.broker import Fence
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.records import Addressed, encoded
from streams.log_kafka.troubles import REQUEST_MS, TRANSACTION_MS

_BATCH_BYTES: Final = 512 << 10
"""A batch of records in one request to one partition: large enough to be cheap, small enough for every broker's limits."""

_RETRY_MS: Final = 20
"""A transaction that follows another at once is often put off until the markers of that one are written, which takes less."""

_CLOSE_SECONDS: Final = 5.0


class NotWritten(Exception):
    """The transaction has not happened, and will not once its id has a new user. Its cause says why."""


class InDoubt(Exception):
    """The transaction's commit was asked for, and not answered: it may have happened, or may yet, until its id has a new user.

    Attributes:
        records: as they stand in the log if it did.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__(f"the commit of {len(records)} records was not answered")
        self.records = records


class Producer(AIOKafkaProducer):  # type: ignore[misc] # published without types
    """A transactional producer. After an error it is of no use any more: `discard` it, and start another with the same id."""

    def __init__(self, connection: KafkaConnection, transactional_id: str, fence: Fence | None = None) -> None:
        """Not started yet.

        Args:
            connection: the cluster.
            transactional_id: its user from `start` on is this producer alone.
            fence: an identity that the id was given before; `start` then fences off nobody, and does not undo a later fencing.
        """
        super().__init__(
            **connection.settings(),
            client_id="tenantry",
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_MS,
            request_timeout_ms=REQUEST_MS,
            retry_backoff_ms=_RETRY_MS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=8 << 20,
        )
        self._discarding: asyncio.Task[None] | None = None
        if fence is not None:
            self._txn_manager.set_pid_and_epoch(*fence)

    async def transact(
        self, records: Sequence[Addressed], offsets: Mapping[TopicPartition, OffsetAndMetadata] | None = None, group: str | None = None
    ) -> Sequence[Record]:
        """Appends the records, and moves the group to the offsets, in one transaction; answers the records as they stand in the log.

        Raises:
            NotWritten: nothing happened.
            InDoubt: not known.
        """
        try:
            await self.begin_transaction()
            async with asyncio.TaskGroup() as sending:  # where one part fails, none waits on for a producer that has ended
                sent = sending.create_task(self._send(records))
                moved = offsets and sending.create_task(_end(self._txn_manager.add_offsets_to_txn(dict(offsets), group)))
            placed = sent.result()
            if moved:
                moved.result()  # the group passes over a task that was cancelled
        except BaseException as error:  # noqa: BLE001 -- whatever it is, nothing was written
            raise NotWritten from _first(error)
        try:
            await self.commit_transaction()
        except BaseException as error:
            raise InDoubt(placed) from error
        return placed

    async def commit_transaction(self) -> None:
        """Asks for the commit, and returns when it has happened; see aiokafka."""
        self._txn_manager.committing_transaction()
        await _end(self._txn_manager.wait_for_transaction_end())

    async def discard(self) -> None:
        """Ends it at once, without a last try. aiokafka's own `stop` would go on trying, for ever if the brokers are away."""
        if self._discarding is None:
            self._discarding = asyncio.create_task(self._discard(), name="kafka-discard")
        # Shielded: whoever gives up waiting must not leave half of it open.
        await asyncio.shield(self._discarding)

    async def _discard(self) -> None:
        self._closed: bool = True
        working = {task for task in asyncio.all_tasks() if _works_for(task, self._sender)}
        ending = working
        while ending:
            for task in ending:
                task.cancel()  # more than once: the first time, the main one begins to wait for the others
            _, ending = await asyncio.wait(ending, timeout=0.05)
        # What nobody waits for any more; asyncio would complain of errors that nobody has looked at.
        batches = [*chain(*self._message_accumulator._batches.values()), *self._message_accumulator._pending_batches]  # noqa: SLF001
        self._message_accumulator.fail_all(kafka_errors.ProducerClosed())
        waiters = [waiter for batch in batches for waiter in (batch.future, batch._drain_waiter)]  # noqa: SLF001
        unanswered = [*(moved for *_, moved in self._txn_manager._pending_txn_offsets), self._txn_manager._transaction_waiter]  # noqa: SLF001
        for waiter in (*working, *waiters, *unanswered):
            if waiter is not None:
                waiter.add_done_callback(_look)
        for waiter in unanswered:
            if waiter is not None and not waiter.done():  # whoever waits for the group's cursor, or for the commit
                waiter.set_exception(kafka_errors.ProducerClosed())
        await asyncio.wait({asyncio.ensure_future(self.client.close())}, timeout=_CLOSE_SECONDS)

    async def _send(self, records: Sequence[Addressed]) -> Sequence[Record]:
        parts: dict[TopicPartition, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            parts[TopicPartition(record.topic, record.partition)].append(index)
        placed: list[Record | None] = [None] * len(records)
        async with asyncio.TaskGroup() as sending:
            for part, indexes in parts.items():
                sending.create_task(self._send_part(part, indexes, records, placed))
        assert None not in placed
        return placed  # type: ignore[return-value] # mypy can't see that none is left

    async def _send_part(
        self, part: TopicPartition, indexes: Sequence[int], records: Sequence[Addressed], placed: list[Record | None]
    ) -> None:
        """Appends the records of one partition, batch by batch: a tenth of the cost of aiokafka's `send` for each."""
        sent: list[tuple[int, asyncio.Future[Any]]] = []
        done = 0
        while done < len(indexes):
            batch = self.create_batch()
            first = done
            while done < len(indexes):
                record = records[indexes[done]]
                new = record.new
                key = new.key.encode() if new.key is not None else None
                if batch.append(timestamp=record.time, key=key, value=new.value, headers=encoded(new.headers)) is None:
                    break  # it is full
                done += 1
            batch.close()
            sending = await self.send_batch(batch, part.topic, partition=part.partition)
            sending.add_done_callback(_look)
            taken = self._message_accumulator._batches[part][-1]  # noqa: SLF001 -- the one that was just given
            taken.future.add_done_callback(_look)  # which `sending` does no more, once it is cancelled
            sent.append((first, sending))
        ends = [first for first, _ in sent[1:]] + [done]
        for (first, sending), end in zip(sent, ends, strict=True):
            base = (await sending).offset
            if base < 0:  # the broker has it, and has forgotten where
                raise kafka_errors.DuplicateSequenceNumber(part)
            for number in range(first, end):
                placed[indexes[number]] = records[indexes[number]].placed(base + number - first)


def _works_for(task: asyncio.Task[Any], sender: object) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and frame.f_locals.get("self") is sender


async def _end(future: asyncio.Future[None]) -> None:
    """Waits for it. aiokafka would shield it; where whoever waits is cancelled just when it fails, nobody looks at the shield's error."""
    future.add_done_callback(_look)
    await asyncio.wait({future})
    future.result()


def _first(error: BaseException) -> BaseException:
    """The error itself, or the first of those of a group's tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _look(future: asyncio.Future[Any]) -> None:
    """Looks at an error that nobody waits for any more, because another came first; asyncio would complain."""
    if not future.cancelled():
        future.exception()
