"""`Readers`: a few consumers that any read takes, best one that already stands where the read begins."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.event_log import Record
from streams.log_kafka import records
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.consumer import Consumer
from streams.log_kafka.troubles import QUESTION_SECONDS, TRANSACTION_MS, unavailable

_READERS: Final = 4
_LONG: Final = _READERS - 1
"""How many reads of one key are under way: each may have to pass a whole partition, and whoever asks, say, whether an append was
committed must not wait for that."""
_FETCH_BYTES: Final = 1 << 20
_POLL_MS: Final = 10
"""How soon a reader notices that only markers were left: aiokafka tells of records only."""

_STALL_SECONDS: Final = QUESTION_SECONDS + 2 * TRANSACTION_MS / 1000
"""How long a read waits without getting on. A writer that has died in a transaction stops readers until the broker aborts that."""


class _Reader:
    """A consumer of one partition at a time."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.part: TopicPartition | None = None
        self.next = 0
        self._ahead: deque[Any] = deque()
        self._reached = 0

    def seek(self, part: TopicPartition, start: int) -> None:
        """Goes to an offset, unless it is there already."""
        if part == self.part:
            self.consumer.resume(part)
            if start == self.next:
                return
        else:
            self.consumer.assign([part])
        self.consumer.seek(part, start)
        self.part, self.next, self._reached = part, start, start
        self._ahead.clear()

    async def scan(self, stream: str, key: str | None, end: int, limit: int) -> Sequence[Record]:
        """The records up to `end` and `limit`, of the key if given; returns when there are no more."""
        assert self.part is not None
        wanted = key.encode() if key is not None else None
        found: list[Record] = []
        moved = time.monotonic()
        while True:
            while self._ahead and len(found) < limit and self.next < end:
                record = self._ahead.popleft()
                self.next = record.offset + 1
                if record.offset < end and (wanted is None or record.key == wanted):
                    found.append(records.read(stream, record))
            if not self._ahead:
                self.next = max(self.next, self._reached)
            if len(found) >= limit or self.next >= end:
                self.consumer.pause(self.part)  # or it would fetch on and on
                return found
            for part in (await self.consumer.getmany(timeout_ms=_POLL_MS)).values():
                self._ahead.extend(part)
            reached = self.consumer.reached(self.part)
            if reached is not None and reached > self._reached:
                self._reached = reached
                moved = time.monotonic()
            elif time.monotonic() - moved > _STALL_SECONDS:
                raise kafka_errors.RequestTimedOutError(f"stopped at {self._reached} of {end} in {self.part}")


class Readers:
    """At most four reads at once, three of them of one key; further ones wait."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._free: list[_Reader] = []
        self._places = asyncio.Semaphore(_READERS)
        self._long = asyncio.Semaphore(_LONG)
        self._closed = False

    async def read(self, stream: str, part: TopicPartition, key: str | None, start: int, end: int, limit: int) -> Sequence[Record]:
        """The records of a partition from `start` to `end`, of the key if given, at most `limit`.

        Costs a fetch of at most 1 MB for each megabyte that is passed over; 3.5 µs for each record.
        """
        if start >= end or limit <= 0:
            return []
        async with self._long if key is not None else contextlib.nullcontext(), self._places:
            if self._closed:
                raise LogUnavailable("the event log is closed")
            with unavailable(f"read {part.topic}"):
                reader = await self._take(part, start)
                try:
                    reader.seek(part, start)
                    found = await reader.scan(stream, key, end, limit)
                except BaseException:
                    await reader.consumer.stop()
                    raise
            self._free.append(reader)
            return found

    async def close(self) -> None:
        """Waits for the reads under way, and ends the consumers."""
        self._closed = True
        for _ in range(_READERS):
            await self._places.acquire()
        for reader in self._free:
            await reader.consumer.stop()
        self._free.clear()
        for _ in range(_READERS):
            self._places.release()

    async def _take(self, part: TopicPartition, start: int) -> _Reader:
        for index, reader in enumerate(self._free):
            if (reader.part, reader.next) == (part, start):
                return self._free.pop(index)
        if len(self._free) >= _READERS - 1 or (self._free and self._free[0].part == part):
            return self._free.pop(0)
        consumer = Consumer(self._connection, max_bytes=_FETCH_BYTES, wait_ms=_POLL_MS)
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return _Reader(consumer)
