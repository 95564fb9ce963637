"""Waking followers when somebody has appended, in this process or another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from streams.errors import LogUnavailable

_POLL_SECONDS: Final = 0.05
"""How soon another process's append is seen. SQLite has no way to tell across processes but to ask; asking costs 50 µs."""


class Wakeup:
    """Followers wait here. This process's writer wakes them at once, other processes' writers at the next poll."""

    def __init__(self, appended: Callable[[], Awaitable[int]]) -> None:
        """`appended` answers a number that every append changes, whoever makes it."""
        self._appended = appended
        self._generation = 0
        self._waiting = 0
        self._changed: asyncio.Condition | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def generation(self) -> int:
        """Grows with every wake-up. Take it before looking, and hand it to `wait` if there was nothing to see."""
        return self._generation

    def from_thread(self) -> None:
        """Wakes everybody; called by the writer's thread after a commit."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._wake)

    async def wait(self, generation: int, seconds: float | None) -> bool:
        """Waits for a wake-up after `generation`; False if there was none within so many seconds."""
        condition = self._start()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds), condition:
                await condition.wait_for(lambda: self._generation != generation or self._closed)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    async def close(self) -> None:
        """Wakes everybody for the last time."""
        self._closed = True
        if self._poller is not None:
            self._poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poller
        if self._changed is not None:
            async with self._changed:
                self._changed.notify_all()

    def _start(self) -> asyncio.Condition:
        if self._changed is None:
            self._loop = asyncio.get_running_loop()
            self._changed = asyncio.Condition()
            self._poller = self._loop.create_task(self._poll(), name="log-wakeup")
        return self._changed

    def _wake(self) -> None:
        self._generation += 1
        if self._waiting and self._loop is not None:
            self._loop.create_task(self._notify())

    async def _notify(self) -> None:
        assert self._changed is not None
        async with self._changed:
            self._changed.notify_all()

    async def _poll(self) -> None:
        seen: int | None = None
        while not self._closed:
            if self._waiting:
                with contextlib.suppress(LogUnavailable):  # followers hear of it from their own reads
                    count = await self._appended()
                    if count != seen:
                        seen = count
                        self._wake()
            await asyncio.sleep(_POLL_SECONDS)
