"""Running a worker, until a signal."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Final

import faust
import structlog
from prometheus_client import start_http_server

from services.engines import make_data, open_log
from services.settings import Settings
from services.termination import pause, unless_terminated
from services.worker.application import application
from streams.errors import LogRefused, LogUnavailable

_log = structlog.get_logger(__name__)
_AGAIN_SECONDS: Final = 2.0
_GENERATIONS: Final = (10_000, 20, 20)
"""How often Python looks for cycles: a batch is tens of thousands of objects without any, which are gone when it is done. By default, a
twentieth of a worker's time went into looking through them, and through what is loaded for good."""


def run(settings: Settings) -> None:
    """Processes until SIGINT or SIGTERM.

    Raises:
        SettingsError: a setting can't work.
        LogRefused: the log is not as it must be.
    """
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.host)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    make_data(settings)
    app, _ = application(settings)
    if not loop.run_until_complete(unless_terminated(_topics(settings))):
        return
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
    threading.excepthook = _thread_ended
    worker = faust.Worker(app, loop=loop, loglevel="CRITICAL", redirect_stdouts=False, quiet=True)
    worker.spinner = None  # it would hide the cursor, in a log file, too
    worker.execute_from_commandline()


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Faust's own consumer has a thread, which a stop while Kafka is away cuts off: no more than a line, and no traceback."""
    _log.warning("thread_ended", thread=ended.thread and ended.thread.name, kind=ended.exc_type.__name__, error=str(ended.exc_value or ""))


async def _topics(settings: Settings) -> bool:
    """Returns when Kafka is there and has the topics: Faust ignores for good what it does not find at its start."""
    while True:
        try:
            log = await open_log(settings)
        except LogUnavailable as error:
            if isinstance(error, LogRefused):
                raise
            _log.warning("log_unavailable", error=str(error))
            await pause(_AGAIN_SECONDS)
        else:
            await log.close()
            return True
