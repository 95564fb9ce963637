"""The rotation calendar: what is coming to the keys of all tenants, by day."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from keyvault.durations import DAY
from keyvault.forecast import Coming, Kind, forecast, upcoming
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.tenants.tenant import Tenants

DAYS: Final = 98
"""As far as anybody looks ahead: 14 weeks, so that a rotation every 90 days shows, whenever it was."""
NAMED: Final = 200
"""Tenants that are named of one day."""
_LOOKED_AT: Final = 20
"""Rings that are looked at before others on the event loop get a turn: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is coming to one tenant.

    Attributes:
        trouble: why the last attempt at it failed, on this node.
    """

    tenant: str
    coming: Coming
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A day, in UTC.

    Attributes:
        start: its first millisecond.
        counts: how many tenants have this coming.
        entries: the first of them, by time; `NAMED` at most.
    """

    start: int
    counts: Mapping[Kind, int]
    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        """Of all kinds."""
        return sum(self.counts.values())

    @property
    def date(self) -> str:
        """As 2026-11-23."""
        return datetime.fromtimestamp(self.start / 1000, UTC).strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The next days, from today on.

    Attributes:
        at: when it was made, in epoch milliseconds.
        overdue: what should have been done by then.
        rings: how many tenants were looked at.
        next: what comes first of all, however far away; None if there is no tenant.
    """

    at: int
    days: tuple[Day, ...]
    overdue: tuple[Entry, ...]
    rings: int
    next: Entry | None = None

    def find(self, date: str) -> Day | None:
        """The day of this date."""
        return next((day for day in self.days if day.date == date), None)


async def calendar(tenants: Tenants, rings: Rings, scheduler: RotationScheduler, now: Callable[[], int]) -> Calendar:
    """Looks ahead in every ring. Nothing is asked of any engine."""
    at = now()
    first = at // DAY * DAY
    counts: list[Counter[Kind]] = [Counter() for _ in range(DAYS)]
    entries: list[list[Entry]] = [[] for _ in range(DAYS)]
    overdue: list[Entry] = []
    following: Entry | None = None
    everybody = tenants.all()
    for number, tenant in enumerate(everybody):
        if number % _LOOKED_AT == 0:
            await asyncio.sleep(0)
        ring = rings.of(tenant.id)
        soonest = upcoming(ring, at)
        if following is None or soonest.at < following.coming.at:
            following = Entry(tenant.id, soonest)
        for coming in forecast(ring, at, first + DAYS * DAY):
            day = (coming.at - first) // DAY
            counts[day][coming.kind] += 1
            entry = Entry(tenant.id, coming, scheduler.trouble(tenant.id) if coming.overdue else None)
            entries[day].append(entry)
            if coming.overdue:
                overdue.append(entry)
    days = tuple(
        Day(first + number * DAY, counts[number], tuple(sorted(entries[number], key=lambda one: (one.coming.at, one.tenant))[:NAMED]))
        for number in range(DAYS)
    )
    return Calendar(at, days, tuple(overdue[:NAMED]), len(everybody), following)
