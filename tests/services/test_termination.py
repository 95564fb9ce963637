"""SIGTERM ends what has no other way to hear of it, also where cleaning up keeps the cancellation to itself."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from services.termination import pause, unless_terminated


async def told_while_cleaning_up() -> None:
    """As a client that is closed: it waits for what it has cancelled, and whoever is cancelled meanwhile never hears of it."""
    under_way = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
    with suppress(asyncio.CancelledError):
        await under_way


async def test_there_is_no_further_attempt_after_it() -> None:
    async def attempts() -> str:
        for _ in range(3):
            await told_while_cleaning_up()
            await pause(0)
        return "began"

    assert await unless_terminated(attempts()) is None
    await pause(0)


async def test_what_has_begun_all_the_same_ends() -> None:
    async def begin() -> str:
        await told_while_cleaning_up()
        return "began"

    assert await unless_terminated(begin()) is None
    await pause(0)


async def test_without_it_there_is_what_was_begun() -> None:
    async def begin() -> str:
        await pause(0)
        return "began"

    assert await unless_terminated(begin()) == "began"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_cancellation_of_another_kind_stays_one() -> None:
    task = asyncio.create_task(unless_terminated(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
