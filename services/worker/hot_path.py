"""The hot path: router, audit and index processor, as a service that Faust supervises.

They do not run as Faust agents, for reasons that were tried (`docs/operating.md` has the figures): an agent reads uncommitted records,
unless the whole application is exactly-once, so it would take the records of aborted transactions for true; its offsets are committed
now and then, not together with what it has produced; and it costs more for a message than all of the router does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import structlog
from mode import Service

from services.bootstrap import Worker, work
from services.engines import open_log
from services.settings import Settings

_log = structlog.get_logger(__name__)
_DRAIN_SECONDS: Final = 60.0
"""How long a batch under way may take to its end. Beyond, it comes again to who works on: cut off is no worse than killed."""
_FAUST_SECONDS: Final = 5.0


class HotPath(Service):
    """Processes from its start to its stop, which lets batches under way finish."""

    def __init__(self, settings: Settings, **mode: Any) -> None:
        super().__init__(**mode)
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[None] | None = None
        self._failed = False
        self.worker: Worker | None = None

    async def on_start(self) -> None:
        """Opens the engines and starts the processors."""
        self._opening = asyncio.create_task(self._open())
        try:
            await self._opening
        except Exception:
            self._failed = True
            raise

    async def on_stop(self) -> None:
        """Returns when every batch under way is done and its cursor moved: the drain of a graceful shutdown.

        From now on the process ends, whatever hangs: the drain has a limit, and so has what Faust does behind it.
        """
        limit = _exit_after(_DRAIN_SECONDS, 1)
        try:
            await self._opened()
            await self._stack.aclose()
            _log.info("worker_drained")
        finally:
            self.worker = None
            limit.cancel()
            _exit_after(_FAUST_SECONDS, int(self.crashed or self._failed))

    async def _opened(self) -> None:
        """Returns when nothing is being opened any more: it is cut short, if it is not done."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, Exception):  # on_start tells
                await self._opening

    async def _open(self) -> None:
        log = await open_log(self._settings)
        self._stack.push_async_callback(log.close)
        self.worker = await self._stack.enter_async_context(work(self._settings, log))
        _log.info("worker_ready")


def _exit_after(seconds: float, code: int) -> threading.Timer:
    """Ends the process unless it has ended by then, or the timer is cancelled; a thread, since the event loop may be what hangs."""
    timer = threading.Timer(seconds, _exit, (code, seconds))
    timer.daemon = True
    timer.start()
    return timer


def _exit(code: int, seconds: float) -> None:
    try:
        _log.warning("worker_cut_off", seconds=seconds)
    finally:
        os._exit(code)
