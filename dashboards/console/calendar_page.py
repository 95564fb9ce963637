"""The rotation calendar: a picture of the next days, and what is coming on one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from dashboards.console.frame import keys_path
from dashboards.console.platform_frame import SPANS, calendar_path, plural
from keyvault.durations import DAY
from keyvault.forecast import Kind

WIDTH: Final = 1120
HEIGHT: Final = 120
_LEAST: Final = 3.0
"""A single tenant among thousands still shows."""

SAYS: Final = {
    Kind.PREPARE: ("Prepare", "a key is created and published, and does not sign yet", "prepared"),
    Kind.ACTIVATE: ("Activate", "the standby signs, and the key before it is deactivated", "activated"),
    Kind.RETIRE: ("Retire", "a deactivated key leaves the JWKS: its last token has expired", "retired"),
}
"""What each is called, what it means, and what happens to the key."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """A day.

    Attributes:
        date: as 2026-11-23.
        weekday: as Mon.
        label: how much is coming, in words.
        counts: by kind, in the order of `Kind`.
        parts: its bar, from below.
        opened: whether the page shows what is coming on it.
        path: where the page shows it.
    """

    date: str
    weekday: str
    label: str
    counts: tuple[int, ...]
    parts: tuple[Part, ...]
    x: float
    width: float
    opened: bool
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """Something that is coming to one tenant.

    Attributes:
        says: what, in words.
        kid: of which key, if it is there already.
        trouble: why it has not been done yet.
    """

    tenant: str
    at: int
    kind: str
    says: str
    kid: str | None
    overdue: bool
    trouble: str | None

    @property
    def keys(self) -> str:
        """The tenant's keys."""
        return keys_path(self.tenant)

    @classmethod
    def of(cls, tenant: str, at: int, kind: Kind, *, kid: str | None, overdue: bool, trouble: str | None) -> EntryView:
        """The entry."""
        return cls(tenant=tenant, at=at, kind=kind.value, says=SAYS[kind][0], kid=kid, overdue=overdue, trouble=trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPage:
    """The calendar.

    Attributes:
        rings: how many tenants were looked at.
        day: the one that is opened; None if nothing is coming at all.
        entries: what is coming on it, as far as it is named.
        more: how many more there are.
        overdue: what should have been done by now.
        most: of the highest bar.
        legend: kind, name, meaning, and how many there are.
        weeks: when each week begins (of many, every other), and when the last one ends, in epoch milliseconds.
        next: what comes first of all, on these days or later; None if there is no tenant.
    """

    template: ClassVar[str] = "calendar.html"
    now: int
    rings: int
    days: tuple[DayView, ...]
    day: DayView | None
    entries: tuple[EntryView, ...]
    more: int
    overdue: tuple[EntryView, ...]
    most: int
    legend: tuple[tuple[str, str, str, int], ...]
    weeks: tuple[int, ...]
    next: EntryView | None = None
    title: str = "Calendar"
    width: int = WIDTH
    height: int = HEIGHT

    @classmethod
    def of(
        cls,
        now: int,
        *,
        rings: int,
        days: Sequence[tuple[int, Mapping[Kind, int]]],
        opened: int | None,
        entries: Sequence[EntryView],
        overdue: Sequence[EntryView],
        following: EntryView | None = None,
    ) -> CalendarPage:
        """The page of these days: each its first millisecond, and how many tenants have what.

        `opened` is the number of the day whose `entries` these are.
        """
        most = max((sum(counts.values()) for _, counts in days), default=0)
        views = tuple(_day(number, start, counts, most, len(days), opened == number) for number, (start, counts) in enumerate(days))
        day = views[opened] if opened is not None else None
        sums = {kind: sum(counts.get(kind, 0) for _, counts in days) for kind in Kind}
        return cls(
            now=now,
            rings=rings,
            days=views,
            day=day,
            entries=tuple(entries),
            more=max(0, sum(day.counts) - len(entries)) if day is not None else 0,
            overdue=tuple(overdue),
            most=most,
            weeks=tuple(range(days[0][0], days[0][0] + len(days) * DAY + 1, (7 if len(days) <= SPANS[0] else 14) * DAY)) if days else (),
            next=following,
            legend=tuple((kind.value, SAYS[kind][0], SAYS[kind][1], sums[kind]) for kind in Kind),
        )

    @property
    def spans(self) -> tuple[tuple[str, str, bool], ...]:
        """How far one can look ahead: the label, the page, and whether it is this one."""
        return tuple((f"{days // 7} weeks", calendar_path(days=days), days == len(self.days)) for days in SPANS)

    @property
    def ticks(self) -> tuple[str, ...]:
        """What stands under the picture: the first day, each week's, and the day after the last."""
        return tuple(f"{datetime.fromtimestamp(start / 1000, UTC):%m-%d}" for start in self.weeks)


def _day(number: int, start: int, counts: Mapping[Kind, int], most: int, days: int, opened: bool) -> DayView:
    slot = WIDTH / days
    date = datetime.fromtimestamp(start / 1000, UTC)
    parts: list[Part] = []
    y = float(HEIGHT)
    for kind in Kind:
        if count := counts.get(kind, 0):
            height = max(_LEAST, round((HEIGHT - _LEAST * len(Kind)) * count / most, 2))
            y = round(y - height, 2)
            parts.append(Part(kind.value, y, height))
    told = [f"{counts[kind]:,} {SAYS[kind][2]}" for kind in Kind if counts.get(kind)]
    label = f"{date:%A} {date:%Y-%m-%d}: " + (f"{plural(sum(counts.values()), 'change')}: {', '.join(told)}" if told else "nothing is due")
    return DayView(
        date=f"{date:%Y-%m-%d}",
        weekday=f"{date:%a}",
        label=label,
        counts=tuple(counts.get(kind, 0) for kind in Kind),
        parts=tuple(parts),
        x=round(number * slot + slot * 0.08, 2),
        width=round(slot * 0.84, 2),
        opened=opened,
        path=calendar_path(f"{date:%Y-%m-%d}", days),
    )
