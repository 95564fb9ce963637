"""Colours and their contrast, by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_MOST: Final = 255
_STEPS: Final = 100

TEXT_CONTRAST: Final = 4.5
"""What text needs against what is behind it: success criterion 1.4.3, level AA."""


class Colour(NamedTuple):
    """A colour in sRGB, each part from 0 to 255."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `#rrggbb`.

        Raises:
            ValueError: it is something else.
        """
        if not _HEX.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is no colour: write it as #rrggbb, as #0b6464")
        return cls(*(int(text[at : at + 2], 16) for at in (1, 3, 5)))

    def __str__(self) -> str:
        """As `#rrggbb`."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """The relative luminance: 0 for black, 1 for white."""
        red, green, blue = (_linear(part / _MOST) for part in self)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(self, other: Colour) -> float:
        """The contrast ratio of the two, from 1 to 21."""
        darker, lighter = sorted((self.luminance, other.luminance))
        return (lighter + 0.05) / (darker + 0.05)

    def least_contrast(self, grounds: Iterable[Colour]) -> float:
        """The contrast against whichever of these it is least readable on."""
        return min(self.contrast(ground) for ground in grounds)

    def mixed(self, other: Colour, part: float) -> Colour:
        """With so much of the other one in it: 0 for none, 1 for nothing else."""
        return Colour(*(round(mine * (1 - part) + theirs * part) for mine, theirs in zip(self, other, strict=True)))

    def on(self) -> Colour:
        """The colour of text on it: white or black, whichever reads better. One of them always has a contrast of 4.58 at least."""
        return max((WHITE, BLACK), key=self.contrast)

    def readable(self, towards: Colour, grounds: Iterable[Colour], least: float = TEXT_CONTRAST) -> Colour:
        """The colour nearest to this one, on the way to `towards`, that has at least this contrast with all these grounds."""
        behind = tuple(grounds)
        steps = (self.mixed(towards, step / _STEPS) for step in range(_STEPS + 1))
        return next((one for one in steps if one.least_contrast(behind) >= least), towards)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


WHITE: Final = Colour(255, 255, 255)
BLACK: Final = Colour(0, 0, 0)
