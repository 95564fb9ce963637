"""ISO 8601 durations at the edge, milliseconds inside."""

from __future__ import annotations

import re

from keyvault.errors import InvalidDuration

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_DURATION = re.compile(
    r"P(?!$)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,11})(?:[.,](?P<fraction>\d{1,3}))?S)?)?",
    re.ASCII,
)


def parse_duration(text: object) -> int:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds (to the millisecond): milliseconds.

    Raises:
        InvalidDuration: it isn't one; months and years are refused, because they vary.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidDuration(text)
    weeks, days, hours, minutes, seconds = (int(match[name] or 0) for name in ("weeks", "days", "hours", "minutes", "seconds"))
    fraction = int((match["fraction"] or "").ljust(3, "0"))
    return (7 * weeks + days) * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND + fraction


def render_duration(milliseconds: int) -> str:
    """The milliseconds (not negative) as an ISO 8601 duration: whole days as `P90D`, and two days and more as `P30DT10M`.

    What is less is in hours: 25 stay `PT25H`, as people say it, instead of `P1DT1H`.
    """
    days, rest = divmod(milliseconds, DAY)
    if days == 1 and rest:
        days, rest = 0, milliseconds
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    decimals = f".{fraction:03}".rstrip("0") if fraction else ""
    text = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + (f"{seconds}{decimals}S" if seconds or fraction else "")
    date = f"{days}D" if days else ""
    return f"P{date}T{text}" if text else f"P{date or 'T0S'}"
