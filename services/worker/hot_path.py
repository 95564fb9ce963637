"""The hot path: router, audit and index processor, as a service that Faust supervises.

They do not run as Faust agents, for reasons that were tried (`docs/operating.md` has the figures): an agent reads uncommitted records,
unless the whole application is exactly-once, so it would take the records of aborted transactions for true; its offsets are committed
now and then, not together with what it has produced; and it costs more for a message than all of the router does.
"""

from __future__ import annotations

import os
import threading
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog
from mode import Service

from services.bootstrap import Worker, work
from services.engines import open_log
from services.settings import Settings

_log = structlog.get_logger(__name__)
_FAUST_SECONDS: Final = 5.0


class HotPath(Service):
    """Processes from its start to its stop, which lets batches under way finish."""

    def __init__(self, settings: Settings, **mode: Any) -> None:
        super().__init__(**mode)
        self._settings = settings
        self._stack = AsyncExitStack()
        self.worker: Worker | None = None

    async def on_start(self) -> None:
        """Opens the engines and starts the processors."""
        log = await open_log(self._settings)
        self._stack.push_async_callback(log.close)
        self.worker = await self._stack.enter_async_context(work(self._settings, log))
        _log.info("worker_ready")

    async def on_stop(self) -> None:
        """Returns when every batch under way is done and its cursor moved: the drain of a graceful shutdown."""
        await self._stack.aclose()
        self.worker = None
        _log.info("worker_drained")
        self._exit_soon()

    def _exit_soon(self) -> None:
        """Ends the process if Faust does not: its own consumer can hang in its end after Kafka was away, when all is done here."""
        timer = threading.Timer(_FAUST_SECONDS, os._exit, (int(self.crashed),))
        timer.daemon = True
        timer.start()
