"""How a query writes moments and days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streams.errors import QueryError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,9}))?(Z|z|[+-]\d{2}:?\d{2})?", re.ASCII)
_RELATIVE = re.compile(r"now(?:([+-])(\d{1,9})([smhdw]))?", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_DAY_LENGTH = _UNITS["d"]
_EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True)
class Moment:
    """What a date means: the milliseconds `[first, last]` since 1970, both included; one, or a whole UTC day."""

    first: int
    last: int


def parse_time(text: str, *, now: int, position: int | None) -> Moment:
    """The moment that a query's text names.

    Takes ISO 8601 with a zone, to the millisecond (further digits are cut); a day, which is that day in UTC; `now`, with or
    without one step as `-1h` or `+15m`, in seconds, minutes, hours, days or weeks (s, m, h, d, w).

    Raises:
        QueryError: anything else, at `position`.
    """
    if relative := _RELATIVE.fullmatch(text):
        sign, number, unit = relative.groups()
        at = now + (int(number) * _UNITS[unit] * (-1 if sign == "-" else 1) if number else 0)
        if not _EARLIEST <= at <= _LATEST:
            raise QueryError(f"`{text}` is outside the years 1 to 9999", position=position)
        return Moment(at, at)
    try:
        if _DAY.fullmatch(text):
            start = (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
            return Moment(start, start + _DAY_LENGTH - 1)
        if moment := _MOMENT.fullmatch(text):
            minute, second, fraction, zone = moment.groups()
            if not zone:
                raise QueryError(f"`{text}` has no time zone", position=position, hint="add a zone, as 2026-11-23T10:00:00Z")
            at_zone = datetime.fromisoformat(minute.upper() + (second or ":00") + zone.upper())
            at = (at_zone - _EPOCH) // _MILLISECOND + int((fraction or "").ljust(3, "0")[:3])
            return Moment(at, at)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"`{text}` is not a date: {error}", position=position) from None
    raise QueryError(
        f"`{text[:60]}` is not a date",
        position=position,
        hint="write it as 2026-11-23T10:00:00Z, as 2026-11-23, or as now-1h (s, m, h, d, w)",
    )


def iso_to_ms(text: str) -> int | None:
    """The epoch milliseconds of an event's date, or None if it is none: what every index holds for a date field."""
    try:
        at = datetime.fromisoformat(text)
        return (at - _EPOCH) // _MILLISECOND if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
