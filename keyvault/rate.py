"""A rate: so many in so much time, as `500/h`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import InvalidWave

_UNITS = {"s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_RATE = re.compile(r"([1-9]\d{0,5})/(s|min|h|d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many, in how many milliseconds.

    A rate cuts time into slots, one for each: slot `n` begins at `slot(n)`. Any `count` slots in a row last exactly `per`.
    """

    count: int
    per: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `500/h`; there are `/s`, `/min`, `/h` and `/d`.

        Raises:
            InvalidWave: it is no rate.
        """
        if (match := _RATE.fullmatch(text)) is None:
            raise InvalidWave(f"{text[:50]!r} is not a rate: write it like 500/h; from 1 to 999999, per s, min, h or d")
        return cls(int(match[1]), _UNITS[match[2]])

    def __str__(self) -> str:
        unit = next((unit for unit, per in _UNITS.items() if per == self.per), f"{self.per}ms")
        return f"{self.count}/{unit}"

    def slot(self, number: int) -> int:
        """When the slot begins, in milliseconds after the first one."""
        return number * self.per // self.count


class Pace:
    """Keeps whatever comes late to a rate, and does not touch what is on time. Not pure: it remembers whom it has let go.

    This is the generic cell rate algorithm (ITU-T I.371), with a tolerance of one slot: one in each slot, anywhere inside it, is never
    held up; a crowd is let go one after another.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._expected = 0  # like all times here in parts of a millisecond, `rate.count` to one: so nothing is rounded

    def next(self, now: int) -> int:
        """When the next one may go: `now`, or later (epoch milliseconds). Whoever asks is expected to go then."""
        interval = self._rate.per
        tolerance = interval + self._rate.count  # a slot, and the millisecond to which its beginning was rounded
        turn = max(now * self._rate.count, self._expected - tolerance)
        self._expected = max(turn, self._expected) + interval
        return -(-turn // self._rate.count)
