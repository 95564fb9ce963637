"""Whose turn it is, of many that wait: tenants in turn, so that none waits for another's relying parties."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque


class Turns:
    """Hands out places, bounded in all and for each tenant."""

    def __init__(self, most: int, most_each: int) -> None:
        """At most `most` places at once, at most `most_each` of them for one tenant."""
        self._most = most
        self._most_each = most_each
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()
        self._busy: Counter[str] = Counter()

    def add(self, tenant: str, relying_party: str) -> None:
        """One more waits for a place."""
        self._waiting.setdefault(tenant, deque()).append(relying_party)

    def take(self) -> tuple[str, str] | None:
        """Who gets a place now, until `done`; None if there is none, or nobody waits who may have one."""
        if self._busy.total() >= self._most:
            return None
        tenant = next((tenant for tenant in self._waiting if self._busy[tenant] < self._most_each), None)
        if tenant is None:
            return None
        queue = self._waiting[tenant]
        relying_party = queue.popleft()
        if queue:
            self._waiting.move_to_end(tenant)
        else:
            del self._waiting[tenant]
        self._busy[tenant] += 1
        return tenant, relying_party

    def done(self, tenant: str) -> None:
        """A place of the tenant's is free again."""
        self._busy[tenant] -= 1
        if not self._busy[tenant]:
            del self._busy[tenant]
