"""Clockwork: jobs at a time, or again and again, in this process's event loop. The one module that knows apscheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

Job = Callable[[], Awaitable[None]]


def _is_error(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


# What a stop cuts off is no error, even if it had not begun.
logging.getLogger("apscheduler.executors.default").addFilter(_is_error)


class Clockwork:
    """Runs jobs when their time has come; a job that is late runs at once."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(executors={"default": AsyncIOExecutor()}, timezone=UTC)

    def start(self) -> None:
        """Begins to run jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """Runs no more jobs, and cancels those under way: a job that must finish keeps a lock that its owner waits for first."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def at(self, name: str, when: int, job: Job) -> None:
        """Runs the job at `when` (epoch milliseconds), instead of when it was planned before."""
        run = datetime.fromtimestamp(when / 1000, UTC)
        # Two instances: a job plans its next run while it is still running.
        self._scheduler.add_job(job, "date", run_date=run, id=name, replace_existing=True, misfire_grace_time=None, max_instances=2)

    def every(self, name: str, seconds: int, job: Job) -> None:
        """Runs the job again and again, first after that time."""
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name, replace_existing=True, misfire_grace_time=None, coalesce=True)
