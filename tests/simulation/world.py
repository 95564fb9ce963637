"""Virtual time: what happens, in the order in which it happens. Nothing here looks at a real clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count

Spans = tuple[tuple[int, int], ...]
"""Times when something is away, each from (including) and until (excluding), epoch milliseconds."""


def within(spans: Spans, now: int) -> bool:
    return any(since <= now < until for since, until in spans)


class World:
    """A queue of things to do, each at its time (epoch milliseconds); of two at the same time, the one that was planned first."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: int, do: Callable[[], None]) -> None:
        assert when >= self.now, "nothing happens in the past"
        heapq.heappush(self._queue, (when, next(self._order), do))

    def each(self, times: Iterable[int], do: Callable[[], None]) -> None:
        """Does it at each of these times, which ascend; only the next one waits in the queue."""
        rest = iter(times)

        def step() -> None:
            do()
            plan()

        def plan() -> None:
            when = next(rest, None)
            if when is not None:
                self.at(when, step)

        plan()

    def run(self, until: int) -> None:
        """Until that time, including it."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self.now = until
