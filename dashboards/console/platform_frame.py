"""The platform's pages for operators: where they are, and numbers as people read them."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from dashboards.console.frame import HOME

PLATFORM: Final = f"{HOME}/-/platform"
DEAD_LETTERS: Final = f"{PLATFORM}/dead-letters"
REPLAY: Final = f"{DEAD_LETTERS}/replay"
CALENDAR: Final = f"{PLATFORM}/calendar"
HEALTH: Final = f"{PLATFORM}/health"
SPANS: Final = (28, 98)
"""Days that the calendar can show, the usual ones first."""

SECTIONS: Final = (("Tenants", PLATFORM), ("Dead letters", DEAD_LETTERS), ("Calendar", CALENDAR), ("Health", HEALTH))
"""The platform's pages by what they are called."""

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def platform_path(**parameters: str) -> str:
    """The table of tenants; empty parameters are left out."""
    given = {name: value for name, value in parameters.items() if value}
    return PLATFORM + (f"?{urlencode(given)}" if given else "")


def letters_path(reason: str) -> str:
    """The samples of one reason."""
    return f"{DEAD_LETTERS}/{quote(reason, safe='')}"


def calendar_path(date: str = "", days: int = SPANS[0]) -> str:
    """The calendar of so many days, with one of them opened if it is given."""
    given = {**({"days": str(days)} if days != SPANS[0] else {}), **({"day": date} if date else {})}
    return CALENDAR + (f"?{urlencode(given)}" if given else "") + ("#day" if date else "")


def size(count: int) -> str:
    """Bytes, as 1.2 GiB."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def rate(per_minute: float) -> str:
    """Events per minute, as 1,234 or 0.4."""
    if per_minute == 0:
        return "0"
    if per_minute < 0.1:
        return "< 0.1"
    return f"{per_minute:.1f}" if per_minute < 10 else f"{per_minute:,.0f}"


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 event, 1,234 events."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
