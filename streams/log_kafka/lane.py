"""`Lane`: appends that come at once are one transaction."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.errors import AppendInDoubt, LogUnavailable
from streams.event_log import Record
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.producer import InDoubt, NotWritten, Producer
from streams.log_kafka.records import Addressed
from streams.log_kafka.troubles import DOUBT_SECONDS, RETRY_SECONDS, TROUBLES, WRITE_SECONDS, explained, passes

_GROUP_RECORDS: Final = 10_000
_GROUP_BYTES: Final = 8 << 20
_HELD_BYTES: Final = 64 << 20
"""Of records whose callers wait. Beyond that, appends are refused at once: with Kafka away, they would pile up."""

_TURN_SECONDS: Final = 5.0
"""How long a transaction is given at least: of appends that are nearly late when their turn comes, some must still get done."""

Seen = Callable[[Record], Awaitable[bool]]
"""Whether the record, whose transaction has ended, is visible."""


@dataclass(eq=False, slots=True)
class Job:
    """An append that waits for its turn.

    Attributes:
        records: what to append.
        last: for a conditional append: the offset of the last record of the key, or None; see `condition`.
        condition: whether it is conditional.
        done: the answer; cancelled if nobody waits for it any more.
        deadline: until when it may begin, or be tried again, however long it waits for its turn.
    """

    records: Sequence[Addressed]
    last: int | None = None
    condition: bool = False
    done: asyncio.Future[Sequence[Record]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    deadline: float = field(default_factory=lambda: time.monotonic() + WRITE_SECONDS)
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(record.size for record in self.records)

    def answer(self, records: Sequence[Record]) -> None:
        """Tells the caller that it is done."""
        if not self.done.done():
            self.done.set_result(records)

    def fail(self, error: Exception) -> None:
        """Tells the caller what went wrong."""
        if not self.done.done():
            self.done.set_exception(error)


class Lane:
    """Appends through one producer with one transactional id, all that is waiting in one transaction, one after another.

    One transaction at a time, so that appends return in the order of their records. While one is under way, the next gathers, so
    that throughput does not depend on how long a transaction takes.
    """

    def __init__(self, connection: KafkaConnection, transactional_id: str, seen: Seen) -> None:
        self._connection = connection
        self._transactional_id = transactional_id
        self._seen = seen
        self._producer: Producer | None = None
        self._jobs: deque[Job] = deque()
        self._held = 0
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, job: Job) -> Sequence[Record]:
        """Appends what the job wants.

        Raises:
            AppendInDoubt: it was written as a whole, or not at all.
            LogUnavailable: else; nothing was written.
        """
        if self._closed:
            raise LogUnavailable("the event log is closed")
        if self._held and self._held + job.size > _HELD_BYTES:
            raise LogUnavailable(f"the log takes no more now: appends of {self._held:,} bytes wait for Kafka already; try again later")
        self._jobs.append(job)
        self._held += job.size
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="kafka-lane")
        try:
            return await job.done
        finally:
            self._held -= job.size
            if job.done.cancelled() and job in self._jobs:
                self._jobs.remove(job)  # who has gone may come again with the same

    async def close(self) -> None:
        """Returns when everything that was waiting is done."""
        self._closed = True
        if self._working is not None:
            await asyncio.wait({self._working})
        await self._drop()

    async def admit(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Those that may be appended now, in one transaction. The others have been answered, or wait for the next one."""
        return jobs

    async def opened(self) -> None:
        """Called when this has become the only user of its transactional id."""

    async def written(self, records: Sequence[Record]) -> None:
        """Called when the records are committed, before the callers hear of it."""

    def postpone(self, jobs: Sequence[Job]) -> None:
        """Puts jobs back: they are the first of the next transaction."""
        self._jobs.extendleft(reversed(jobs))

    async def _work(self) -> None:
        while self._jobs:
            jobs = [self._jobs.popleft()]
            count, size = len(jobs[0].records), jobs[0].size
            while self._jobs and count < _GROUP_RECORDS and size + self._jobs[0].size <= _GROUP_BYTES:
                jobs.append(self._jobs.popleft())
                count += len(jobs[-1].records)
                size += jobs[-1].size
            try:
                await self._write(jobs)
            except Exception as error:  # noqa: BLE001 -- the lane must go on, and every caller must hear of it
                for job in jobs:
                    if job not in self._jobs:  # it was put back
                        job.fail(explained("append", error))

    async def _write(self, jobs: Sequence[Job]) -> None:
        trouble: BaseException | None = None
        while jobs := self._waited_for(jobs, trouble):
            seconds = min(job.deadline for job in jobs) - time.monotonic()
            try:
                async with asyncio.timeout(max(_TURN_SECONDS, seconds)):
                    producer = await self._open()
                    jobs = await self.admit(jobs)
                    if not jobs:
                        return
                    written = await producer.transact([record for job in jobs for record in job.records])
            except InDoubt as doubt:
                await self._drop()
                happened = await self._happened(doubt)
                if happened is None:
                    error = AppendInDoubt(
                        "Kafka did not answer whether an append was committed, and can't be asked now; look before you append it again"
                    )
                    for job in jobs:
                        job.fail(error)
                    return
                if happened:
                    await self._done(jobs, doubt.records)
                    return
                trouble = doubt.__cause__
            except (NotWritten, LogUnavailable, *TROUBLES) as error:
                await self._drop()
                trouble = error.__cause__ if isinstance(error, NotWritten) else error
            else:
                await self._done(jobs, written)
                return
            if not passes(trouble):
                if len(jobs) > 1:  # one of them may be what the broker refuses
                    for job in jobs:
                        await self._write([job])
                else:
                    jobs[0].fail(_told(trouble))
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _done(self, jobs: Sequence[Job], written: Sequence[Record]) -> None:
        await self.written(written)
        done = 0
        for job in jobs:
            job.answer(written[done : done + len(job.records)])
            done += len(job.records)

    def _waited_for(self, jobs: Sequence[Job], trouble: BaseException | None) -> Sequence[Job]:
        """The jobs whose callers wait, and not for too long already; the late ones are told so."""
        for job in jobs:
            if time.monotonic() >= job.deadline:
                job.fail(_told(trouble))
        return [job for job in jobs if not job.done.done()]

    async def _open(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._connection, self._transactional_id)
            await self._producer.start()
            await self.opened()
        return self._producer

    async def _drop(self) -> None:
        if self._producer is not None:
            await self._producer.discard()
            self._producer = None

    async def _happened(self, doubt: InDoubt) -> bool | None:
        """Whether a transaction in doubt was committed; None if that can't be learnt now.

        A new producer with the same id ends it, one way or the other; what it then left behind can be looked at.
        """
        try:
            async with asyncio.timeout(DOUBT_SECONDS):
                while True:
                    try:
                        await self._open()
                        return await self._seen(doubt.records[0])
                    except (LogUnavailable, *TROUBLES):
                        await self._drop()
                        await asyncio.sleep(RETRY_SECONDS)
        except TimeoutError:
            await self._drop()
            return None


def _told(trouble: BaseException | None) -> LogUnavailable:
    return trouble if isinstance(trouble, LogUnavailable) else explained("append", trouble or TimeoutError())
