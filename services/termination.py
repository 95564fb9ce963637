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
        done = await work
        if not told:  # else it has come to its end all the same, and kept the cancellation to itself
            return done
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    here.uncancel()
    return None


async def pause(seconds: float) -> None:
    """Waits before the next attempt, of which there is none once the task was cancelled, though cleaning up kept that to itself.

    Raises:
        CancelledError: it was, or is.
    """
    here = asyncio.current_task()
    if here is not None and here.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
