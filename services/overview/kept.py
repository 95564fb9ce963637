"""An answer that is kept for a while, so that many who ask cost no more than one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_REST: Final = 10
"""An answer is kept for at least so many times as long as it took: looking never takes more than a part of the machine."""


class Kept(Generic[T]):
    """Makes the answer when it is asked for, once for all who ask meanwhile, and keeps it.

    Args:
        make: makes the answer.
        seconds: for how long it is kept at least.
        clock: seconds that only grow.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._until = 0.0
        self._last: T | None = None
        self._task: asyncio.Task[T] | None = None
        self._under_way: set[asyncio.Task[T]] = set()

    async def get(self) -> T:
        """The answer. An error is not kept: whoever asks next tries again.

        Raises:
            Exception: what making it raised.
        """
        if self._task is None or (self._task.done() and (self._clock() >= self._until or self._failed(self._task))):
            self._task = asyncio.create_task(self._timed(), name="overview")
            self._under_way.add(self._task)
            self._task.add_done_callback(self._over)
        # Whoever gives up waiting does not end it for the others.
        return await asyncio.shield(self._task)

    async def within(self, seconds: float) -> T | None:
        """The answer, if it is there in time; else the one before it, however old, or None if there is none. It goes on being made.

        Raises:
            Exception: what making it raised.
        """
        asked = asyncio.ensure_future(self.get())
        await asyncio.wait({asked}, timeout=seconds)
        if asked.done():
            return asked.result()
        asked.cancel()
        return self._last

    def forget(self) -> None:
        """Makes it anew when it is next asked for, whatever is under way: what it tells of has changed."""
        self._task = self._last = None

    async def close(self) -> None:
        """Ends what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _timed(self) -> T:
        began = self._clock()
        made = await self._make()
        ended = self._clock()
        self._until = ended + max(self._seconds, _REST * (ended - began))
        self._last = made
        return made

    def _over(self, task: asyncio.Task[T]) -> None:
        self._under_way.discard(task)
        self._failed(task)  # which takes note of its error, whether anybody still waits for it or not

    @staticmethod
    def _failed(task: asyncio.Task[T]) -> bool:
        return task.cancelled() or task.exception() is not None
