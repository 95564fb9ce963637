"""How busy each tenant is, and how far its index is behind: both read from the end of the tenant log, for all tenants at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from services.overview.backwards import Budget, backwards
from streams.event_log import TENANT_LOG, EventLog
from streams.processors.backlog import Backlogs
from streams.processors.index import IndexProcessor
from streams.segment import count

WINDOW_MS: Final = 5 * 60 * 1000
"""The rate is that of the last five minutes, or of as much of them as the budget reaches."""
BUDGET: Final = Budget(4_000, 32_000_000)
_MINUTE: Final = 60_000
_SHORTEST_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a tenant's index is behind its log.

    Attributes:
        events: that are in the log and not in the index.
        exact: whether there are no more: it may be further behind than was read.
        since: when the oldest one that was read was written, in epoch milliseconds; None without any.
    """

    events: int
    exact: bool
    since: int | None


@dataclass(slots=True)
class _Part:
    """What was read of a partition."""

    end: int
    cursor: int
    read_from: int
    since: int
    segments: dict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By tenant: offset, time and number of events of each."""


class LogEnd:
    """The end of the tenant log, as it was when it was read.

    Attributes:
        window: for how many milliseconds back everything is known, in the busiest partition.
    """

    def __init__(self, parts: Mapping[int, _Part], floors: Mapping[str, int], now: int) -> None:
        self._parts = parts
        self._floors = floors
        self._now = now
        self.window = min((now - part.since for part in parts.values()), default=WINDOW_MS)

    def rate(self, tenant: str, partition: int) -> float:
        """The tenant's events per minute."""
        part = self._parts[partition]
        recent = sum(number for _, time, number in part.segments.get(tenant, ()) if time >= part.since)
        return recent * _MINUTE / max(self._now - part.since, _SHORTEST_MS)

    def lag(self, tenant: str, partition: int) -> Lag:
        """How far the tenant's index is behind."""
        part = self._parts[partition]
        floor = min(part.cursor, self._floors.get(tenant, part.cursor))
        waiting = [(time, number) for offset, time, number in part.segments.get(tenant, ()) if offset >= floor]
        exact = part.read_from <= floor
        return Lag(sum(number for _, number in waiting), exact, min((time for time, _ in waiting), default=None))

    def behind(self, partition: int) -> int:
        """How many records of the partition the index processor has before it."""
        part = self._parts[partition]
        return max(0, part.end - part.cursor)


async def read_end(log: EventLog, backlogs: Backlogs, now: int) -> LogEnd:
    """Reads it, of all partitions together no more than the budget allows.

    Raises:
        LogUnavailable: the log can't be read now.
    """
    cursors = await log.cursors(TENANT_LOG, IndexProcessor.name)
    ends = await log.ends(TENANT_LOG)  # later than the cursors, which so are never ahead of it
    floors = {backlog.tenant: backlog.offset for backlog in backlogs.all()}
    lowest = dict(cursors)
    for backlog in backlogs.all():
        lowest[backlog.partition] = min(lowest.get(backlog.partition, 0), backlog.offset)
    share = BUDGET.share(len(ends))
    read = [_read(log, partition, end, cursors.get(partition, 0), lowest.get(partition, 0), now, share) for partition, end in ends.items()]
    return LogEnd(dict(zip(ends, await asyncio.gather(*read), strict=True)), floors, now)


async def _read(log: EventLog, partition: int, end: int, cursor: int, lowest: int, now: int, budget: Budget) -> _Part:
    """Reads back to where the window begins and everything is in the indexes, or as far as the budget reaches."""
    part = _Part(end, cursor, end, now - WINDOW_MS)
    oldest, whole = now, False
    async with aclosing(backwards(log, TENANT_LOG, partition, start=0, end=end, budget=budget)) as pieces:
        async for begin, records in pieces:
            part.read_from = begin
            for record in records:
                if record.key is not None:
                    part.segments[record.key].append((record.offset, record.time, count(record)))
            oldest = min([oldest, *(record.time for record in records)])
            whole = begin == 0 or oldest < part.since
            if whole and begin <= lowest:
                break
            await asyncio.sleep(0)
    if not whole and end > 0:
        part.since = max(part.since, oldest)
    return part
