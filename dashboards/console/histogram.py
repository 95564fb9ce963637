"""A histogram over time as the geometry of an SVG picture: bars in a box of `WIDTH` by `HEIGHT`, empty intervals included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dashboards.console.times import MAX_BARS, interval, utc

WIDTH: Final = 1200
HEIGHT: Final = 100
_LEAST: Final = 2.0
"""A single event among millions still shows."""
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval with events in it.

    Attributes:
        count: how many.
        label: when, how many, and how many failures, in words.
        failed: the height of the failures, at the bottom of `height`.
    """

    x: float
    width: float
    height: float
    failed: float
    label: str
    count: int
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A histogram.

    Attributes:
        ticks: what stands under its beginning, middle and end.
        each: the length of a bar, in words of the API (`15m`).
        start: of the first bar, in epoch milliseconds, whether anything is in it or not.
        length: of a bar, in milliseconds.
        number: of bars, the empty ones included.
    """

    bars: tuple[Bar, ...]
    most: int
    total: int
    failures: int
    ticks: tuple[str, str, str]
    each: str
    start: int
    length: int
    number: int
    width: int = WIDTH
    height: int = HEIGHT


def chart(first: int, last: int, counts: Mapping[int, int], failures: Mapping[int, int]) -> Chart:
    """The picture of the events from `first` to `last` (epoch milliseconds).

    Args:
        first: the beginning.
        last: the end, included.
        counts: events by the start of their interval, which `times.interval(first, last)` names.
        failures: those of them whose outcome is failure.
    """
    text, length = interval(first, last)
    start = first // length * length
    number = min(max(1, (last - start) // length + 1), MAX_BARS)
    end = start + number * length
    most = max((count for at, count in counts.items() if start <= at < end), default=0)
    slot = WIDTH / number
    bars = []
    for at, count in sorted(counts.items()):
        if not start <= at < end or not count:
            continue
        height = max(_LEAST, HEIGHT * count / most)
        failed = min(failures.get(at, 0), count)
        label = f"{utc(at)}: {count:,} {'event' if count == 1 else 'events'}" + (f", {failed:,} failed" if failed else "")
        bars.append(
            Bar(
                x=round((at - start) // length * slot + slot * 0.08, 1),
                width=round(slot * 0.84, 1),
                height=round(height, 1),
                failed=round(max(_LEAST, height * failed / count), 1) if failed else 0,
                label=label,
                count=count,
                since=utc(at).replace(" ", "T"),
                until=utc(at + length).replace(" ", "T"),
            )
        )
    ticks = tuple(_tick(at, end - start) for at in (start, (start + end) // 2, end))
    return Chart(
        bars=tuple(bars),
        most=most,
        total=sum(counts.values()),
        failures=sum(failures.values()),
        ticks=(ticks[0], ticks[1], ticks[2]),
        each=text,
        start=start,
        length=length,
        number=number,
    )


def _tick(ms: int, span: int) -> str:
    form = "%Y-%m-%d" if span >= 10 * _DAY else "%m-%d %H:%M" if span >= 2 * 3_600_000 else "%H:%M:%S"
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return ""
