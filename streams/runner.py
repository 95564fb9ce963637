"""The runner: runs processors in this process, one task each, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from streams.errors import Overtaken
from streams.event_log import Batch, EventLog, Subscription
from streams.metrics import PROCESSOR_LAG, PROCESSOR_RETRIES, PROCESSORS_RUNNING
from streams.processors.processor import Processor

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_FIRST_RETRY_SECONDS: Final = 0.2
_LONGEST_RETRY_SECONDS: Final = 10.0


class Runner:
    """Runs each processor as a follower of its stream.

    Batches are large when there is a backlog, because what a search index costs most is a commit for each tenant of a batch, and
    because the router can put into one segment only what it sees of a tenant in one batch of single events. A processor that can
    (`Processor.at_once`) gets batches of several partitions at the same time, so that its engine is not idle between them.

    A batch that fails is tried again until it succeeds: nothing is passed over, whatever the reason. A stop lets the batches
    under way finish.
    """

    def __init__(self, log: EventLog, processors: Sequence[Processor], *, max_records: int = 20_000) -> None:
        self._log = log
        self._processors = processors
        self._max_records = max_records
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: dict[tuple[str, int | None], str] = {}
        for processor in processors:
            PROCESSOR_RETRIES.labels(processor.name)  # begins at 0

    def start(self) -> None:
        """Starts the processors."""
        PROCESSORS_RUNNING.set_function(lambda: sum(not task.done() for task in self._tasks))
        self._tasks = [asyncio.create_task(self._run(processor), name=processor.name) for processor in self._processors]

    async def stop(self) -> None:
        """Returns when every processor has finished its batch."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def trouble(self) -> dict[str, str]:
        """For each processor that is not doing its work, why: what it tries again, or that it has ended."""
        ended = {task.get_name(): "it has ended; see the log" for task in self._tasks if task.done()}
        return {**{name: why for (name, _), why in self._trouble.items()}, **ended}

    async def lag(self) -> dict[str, int]:
        """For each processor, how many records of its stream are before it (with the gaps, if there are any)."""
        lags: dict[str, int] = {}
        for processor in self._processors:
            ends = await self._log.ends(processor.stream)
            cursors = await self._log.cursors(processor.stream, processor.name)
            lags[processor.name] = sum(max(0, end - cursors.get(partition, 0)) for partition, end in ends.items())
            PROCESSOR_LAG.labels(processor.name).set(lags[processor.name])
        return lags

    async def _run(self, processor: Processor) -> None:
        async with self._log.follow(
            processor.stream, processor.name, max_records=self._max_records, max_bytes=processor.batch_bytes, pace=processor.pace
        ) as subscription:
            under_way = _UnderWay(processor.at_once, processor.bytes_at_once)
            while not self._stopping.is_set():
                batch = await self._retried(processor, None, lambda: self._unless_stopped(subscription.next()))
                if batch is not None:
                    await under_way.room(batch)
                    if not self._stopping.is_set():
                        under_way.start(batch, partial(self._handle, processor, subscription, batch))
                        await under_way.another()
                del batch  # it may be large, and be done before another comes
            await under_way.all()

    async def _handle(self, processor: Processor, subscription: Subscription, batch: Batch) -> None:
        try:
            retried = partial(self._retried, processor, batch.partition)
            outputs = await retried(partial(processor.process, batch)) if batch.records else ()
            if outputs is not None:
                await retried(partial(subscription.advance, batch, outputs))
        except Overtaken as error:  # somebody else has it now, and this one goes on behind them
            _log.info("batch_overtaken", processor=processor.name, partition=batch.partition, offset=batch.start, why=str(error))

    async def _retried(self, processor: Processor, partition: int | None, action: Callable[[], Awaitable[T]]) -> T | None:
        """What the action answers once it succeeds; None if the runner is stopped before."""
        delay = _FIRST_RETRY_SECONDS
        what = processor.name, partition
        try:
            while True:
                try:
                    return await action()
                except Overtaken:
                    raise
                except Exception as error:  # noqa: BLE001 -- whatever it is, going on would lose the batch
                    self._trouble[what] = "it fails and tries again; see the log"  # which may name tenants; this is public
                    PROCESSOR_RETRIES.labels(processor.name).inc()
                    _log.warning("processor_retries", processor=processor.name, error=str(error), kind=type(error).__name__, delay=delay)
                if await self._unless_stopped(asyncio.sleep(delay, result=True)) is None:
                    return None
                delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
        finally:
            self._trouble.pop(what, None)

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """What is waited for, which can be given up safely; None if the runner is stopped before."""
        task = asyncio.ensure_future(waiting)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))


class _UnderWay:
    """The batches that are under way: those of a partition one after another, and of all partitions no more than so many bytes."""

    def __init__(self, at_once: int, max_bytes: int) -> None:
        self._at_once = at_once
        self._max_bytes = max_bytes
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._last: dict[int, asyncio.Task[None]] = {}

    async def room(self, batch: Batch) -> None:
        """Returns when there is room for the batch."""
        while self._tasks and sum(self._tasks.values()) + _size(batch) > self._max_bytes:
            await self._some(asyncio.FIRST_COMPLETED)

    def start(self, batch: Batch, handle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Handles the batch, once its partition's batches before it are handled."""
        task = asyncio.create_task(self._after(self._last.get(batch.partition), handle))
        self._tasks[task] = _size(batch)
        self._last[batch.partition] = task

    async def another(self) -> None:
        """Returns when there may be another one."""
        while len(self._tasks) >= self._at_once:
            await self._some(asyncio.FIRST_COMPLETED)

    async def all(self) -> None:
        """Returns when nothing is under way."""
        while self._tasks:
            await self._some(asyncio.ALL_COMPLETED)

    async def _some(self, when: str) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=when)
        for task in done:
            del self._tasks[task]
            task.result()
        self._last = {partition: task for partition, task in self._last.items() if not task.done()}

    @staticmethod
    async def _after(before: asyncio.Task[None] | None, handle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if before is not None:
            await asyncio.wait({before})
        await handle()


def _size(batch: Batch) -> int:
    return sum(len(record.value) for record in batch.records)
