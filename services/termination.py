"""Ending at SIGTERM what has no other way to hear of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


async def unless_terminated(work: Awaitable[_T]) -> _T | None:
    """What the work returns; or None, where SIGTERM came first, at which the work is cancelled.

    By itself, SIGTERM ends a process; but not the first one of a container, in which the system ignores what the process does not handle.
    """
    here, told = asyncio.current_task(), False
    assert here is not None

    def end() -> None:
        nonlocal told
        told = True
        here.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        return await work
    except asyncio.CancelledError:
        if not told:
            raise
        here.uncancel()
        return None
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
