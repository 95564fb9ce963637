"""Times and durations in words, and the ranges of time that a page offers. Times are epoch milliseconds, shown in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from streams.errors import QueryError

_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY
_AGES: Final = ((2 * 365 * _DAY, 365 * _DAY, "y"), (2 * _DAY, _DAY, "d"), (_HOUR, _HOUR, "h"), (_MINUTE, _MINUTE, "min"), (0, _SECOND, "s"))
"""From which distance on which unit: 25 hours say more than one day."""
_WORDS: Final = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (_SECOND, "second"))
MAX_BARS: Final = 120

_INTERVALS: Final = (
    *((f"{n}s", n * _SECOND) for n in (1, 2, 5, 10, 30)),
    *((f"{n}m", n * _MINUTE) for n in (1, 2, 5, 10, 15, 30)),
    *((f"{n}h", n * _HOUR) for n in (1, 2, 3, 6, 12)),
    *((f"{n}d", n * _DAY) for n in (1, 2)),
    *((f"{n}w", n * _WEEK) for n in (1, 2, 4, 13, 26, 52, 260, 2600, 5200)),
)
"""Lengths of a bar, as `interval` of the API takes them; the last serves the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A range of time that ends now. `since` is empty for all of the log."""

    name: str
    label: str
    since: str


PRESETS: Final = (
    Preset("24h", "24 hours", "now-24h"),
    Preset("7d", "7 days", "now-7d"),
    Preset("30d", "30 days", "now-30d"),
    Preset("all", "All", ""),
)
"""Shortest first."""


def preset(name: str) -> Preset | None:
    """The preset of this name; None if no name is given.

    Raises:
        QueryError: there is none of this name.
    """
    if not name:
        return None
    found = next((one for one in PRESETS if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in PRESETS)
        raise QueryError(f"range: there is no `{name[:40]}`", hint=f"choose one of {names}", parameter="range")
    return found


def interval(first: int, last: int) -> tuple[str, int]:
    """The shortest interval, as text and in milliseconds, that has at most `MAX_BARS` bars from `first` to `last`."""
    for text, length in _INTERVALS:
        if last // length - first // length < MAX_BARS:
            return text, length
    return _INTERVALS[-1]


def utc(ms: int, *, milliseconds: bool = False) -> str:
    """As 2026-11-23 16:51:50Z."""
    try:
        text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(" ", "milliseconds" if milliseconds else "seconds")
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
    return text.removesuffix("+00:00") + "Z"


def age(ms: int, now: int) -> str:
    """How far from now: `3 h ago`, `in 25 h`."""
    distance = abs(now - ms)
    if distance < _SECOND:
        return "now"
    text = next(f"{round(distance / length)} {unit}" for least, length, unit in _AGES if distance >= least)
    return f"{text} ago" if ms < now else f"in {text}"


def words(ms: int) -> str:
    """A duration as people say it: 90 days, 25 hours, 5 minutes, 1 hour 5 minutes."""
    if ms >= 3 * _DAY and ms % _DAY:
        ms -= ms % _HOUR
    for length, unit in _WORDS:
        # 25 hours are not "1 day 1 hour" to anybody who set 25 hours.
        if ms >= length and (length < _DAY or ms % _DAY == 0 or ms >= 3 * _DAY):
            count, rest = divmod(ms, length)
            text = f"{count} {unit}{'s' if count != 1 else ''}"
            return f"{text} {words(rest)}" if rest >= _SECOND else text
    return "0 seconds"


def tick(ms: int, span: int) -> str:
    """A time beside an axis that is `span` milliseconds long: as exact as one needs to tell it from the others there."""
    text = utc(ms)
    if span >= 4 * _DAY:
        return text[:10]
    return text[5:16] + "Z" if span >= 20 * _MINUTE else text[11:]


def stamp(ms: int, now: int) -> Markup:
    """A time as HTML, with its age."""
    return Markup('<time datetime="{}">{}</time> <small class="age">{}</small>').format(utc(ms).replace(" ", "T"), utc(ms), age(ms, now))
