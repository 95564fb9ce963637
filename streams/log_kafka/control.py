"""`GuardedLane`: conditional appends to one partition, by whoever else appends to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from streams.errors import Changed
from streams.event_log import Record
from streams.log_kafka.broker import Broker
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.fold import Fold
from streams.log_kafka.lane import Job, Lane, Seen
from streams.log_kafka.names import Names

_VISIBLE_SECONDS: Final = 5.0


class GuardedLane(Lane):
    """Compare-and-append by fencing: every append to the partition, by every process, is in a transaction of the partition's one id.

    To append, a process becomes the id's only user, which aborts what another has open and refuses it from then on; reads up to the
    high watermark; looks whether the key's last record is the expected one; and appends. If somebody else has become the user
    meanwhile, the broker refuses the transaction, and it begins again. As long as nobody does, the fold is current and the next
    append is one transaction, without looking.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        names: Names,
        broker: Broker,
        stream: str,
        partition: int,
        fold: Fold,
        seen: Seen,
    ) -> None:
        super().__init__(connection, names.writer(stream, partition), seen)
        self._stream = stream
        self._partition = partition
        self._fold = fold
        self._broker = broker
        self._topic = names.topic(stream)

    async def opened(self) -> None:
        # The high watermark, not the last stable offset: a commit of the last user's may be decided and not yet marked here.
        await self._reach_end(stable=False)

    async def admit(self, jobs: Sequence[Job]) -> Sequence[Job]:
        admitted: list[Job] = []
        postponed: list[Job] = []
        keys: set[str | None] = set()
        for job in jobs:
            mine = {record.new.key for record in job.records if record.new.stream == self._stream}
            if job.condition and mine & keys:
                postponed.append(job)  # what it expects is about to change, if the others succeed
            elif not job.condition or await self._is_last(job):
                admitted.append(job)
            keys |= mine
        self.postpone(postponed)
        return admitted

    async def written(self, records: Sequence[Record]) -> None:
        # Until its marker is in the partition, a committed record is behind the last stable offset, by which `ends` goes.
        end = max(record.offset for record in records if record.stream == self._stream) + 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_VISIBLE_SECONDS):
                await self._fold.reach(self._partition, end)

    async def _is_last(self, job: Job) -> bool:
        key = job.records[0].new.key
        assert key is not None
        if self._fold.last(key) != job.last:
            # Another process may have appended since, and the caller seen it.
            await self._reach_end(stable=True)
        last = self._fold.last(key)
        if last != job.last:
            job.fail(Changed(self._stream, key, job.last, last))
        return last == job.last

    async def _reach_end(self, *, stable: bool) -> None:
        ends = await self._broker.ends(self._topic, stable=stable)
        await self._fold.reach(self._partition, ends[self._partition])
