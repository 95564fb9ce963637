"""The runner: runs processors in this process, one task each, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from streams.errors import Overtaken
from streams.event_log import EventLog, Subscription
from streams.metrics import PROCESSOR_LAG, PROCESSOR_RETRIES
from streams.processors.processor import Processor

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_FIRST_RETRY_SECONDS: Final = 0.2
_LONGEST_RETRY_SECONDS: Final = 10.0


class Runner:
    """Runs each processor as a follower of its stream.

    Batches are large when there is a backlog, because what a search index costs most is a commit for each tenant of a batch, and
    because the router can put into one segment only what it sees of a tenant in one batch of single events.

    A batch that fails is tried again until it succeeds: nothing is passed over, whatever the reason. A stop lets the batches
    under way finish.
    """

    def __init__(self, log: EventLog, processors: Sequence[Processor], *, max_records: int = 20_000, max_bytes: int = 24 << 20) -> None:
        self._log = log
        self._processors = processors
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: dict[str, str] = {}

    def start(self) -> None:
        """Starts the processors."""
        self._tasks = [asyncio.create_task(self._run(processor), name=processor.name) for processor in self._processors]

    async def stop(self) -> None:
        """Returns when every processor has finished its batch."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def trouble(self) -> dict[str, str]:
        """For each processor that is not doing its work, why: what it tries again, or that it has ended."""
        ended = {task.get_name(): "it has ended; see the log" for task in self._tasks if task.done()}
        return {**self._trouble, **ended}

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
        while not self._stopping.is_set():
            with contextlib.suppress(Overtaken):
                async with self._log.follow(
                    processor.stream, processor.name, max_records=self._max_records, max_bytes=self._max_bytes
                ) as subscription:
                    await self._follow(processor, subscription)

    async def _follow(self, processor: Processor, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            batch = await self._retried(processor, lambda: self._unless_stopped(subscription.next()))
            if batch is None:
                return
            outputs = await self._retried(processor, partial(processor.process, batch)) if batch.records else ()
            if outputs is None:
                return
            await self._retried(processor, partial(subscription.advance, batch, outputs))

    async def _retried(self, processor: Processor, action: Callable[[], Awaitable[T]]) -> T | None:
        """What the action answers once it succeeds; None if the runner is stopped before."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                answer = await action()
            except Overtaken:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever it is, going on would lose the batch
                self._trouble[processor.name] = "it fails and tries again; see the log"  # which may name tenants; this is public
                PROCESSOR_RETRIES.labels(processor.name).inc()
                _log.warning("processor_retries", processor=processor.name, error=str(error), kind=type(error).__name__, delay=delay)
            else:
                self._trouble.pop(processor.name, None)
                return answer
            if await self._unless_stopped(asyncio.sleep(delay, result=True)) is None:
                return None
            delay = min(delay * 2, _LONGEST_RETRY_SECONDS)

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
