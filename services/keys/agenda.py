"""An agenda: who is to be seen to next, among thousands."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

_SLACK: Final = 64


class Agenda:
    """One time (epoch milliseconds) for each tenant, the earliest first. Changing or taking one costs the logarithm of their number."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []  # has entries that `_times` has forgotten

    def __len__(self) -> int:
        return len(self._times)

    def put(self, tenant: str, when: int) -> None:
        """Sees to the tenant at this time, instead of any other."""
        if self._times.get(tenant) == when:
            return
        self._times[tenant] = when
        heappush(self._heap, (when, tenant))
        if len(self._heap) > 2 * len(self._times) + _SLACK:
            self._heap = [(time, one) for one, time in self._times.items()]
            heapify(self._heap)

    def drop(self, tenant: str) -> None:
        """Sees to the tenant no more."""
        self._times.pop(tenant, None)

    def next(self) -> int | None:
        """The earliest time, or None without any."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> str | None:
        """Who is to be seen to first, if their time has come; they are not on the agenda any more."""
        when = self.next()
        if when is None or when > now:
            return None
        tenant = heappop(self._heap)[1]
        del self._times[tenant]
        return tenant

    def due(self, now: int) -> set[str]:
        """Those who have their time behind them."""
        return {tenant for tenant, when in self._times.items() if when <= now}
