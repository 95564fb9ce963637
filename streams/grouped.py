"""Many small questions asked as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Grouped(Generic[A, B]):
    """Asks together what is asked at the same time, or while an earlier group is being answered.

    Args:
        answer: answers a group, in its order; what it raises is raised to all who asked.
        most: how many are a group at most.
        seconds: how long the first one of a group waits for others.
    """

    def __init__(self, answer: Callable[[Sequence[A]], Awaitable[Sequence[B]]], *, most: int, seconds: float = 0.0) -> None:
        self._answer = answer
        self._most = most
        self._seconds = seconds
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, question: A) -> B:
        """The answer to one of them."""
        answer: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            await asyncio.sleep(self._seconds)  # for whoever asks at the same time
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                try:
                    answers = await self._answer([question for question, _ in group])
                except Exception as error:  # noqa: BLE001 -- it is theirs who wait
                    for _, waiting in group:
                        if not waiting.done():
                            waiting.set_exception(error)
                else:
                    for (_, waiting), answer in zip(group, answers, strict=True):
                        if not waiting.done():  # who was cancelled waits no more
                            waiting.set_result(answer)
        finally:
            self._working = None
