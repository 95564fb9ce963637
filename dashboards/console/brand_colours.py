"""A tenant's colours on the console's pages: checked, completed for dark and light, and written as a style sheet.

A strict Content-Security-Policy lets no style stand in a page, so they are served as a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dashboards.console.colours import BLACK, TEXT_CONTRAST, WHITE, Colour

_SOFT: Final = 0.14
"""How much of the accent is in the ground of what is chosen or hovered over, if it can still be read there."""
_DERIVED: Final = 6.0
"""The contrast of an accent that is derived: more than it needs, so that it can still be read where some of it is in the ground."""
_RULE: Final = "WCAG 2.2, 1.4.3"


class Unreadable(ValueError):
    """Colours that can't be read. The message names each, with the contrast that it has and one near it that will do."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What text stands on in one of the two schemes, as in `static/console.css`.

    Attributes:
        towards: where colours become more readable on it.
    """

    name: str
    page: Colour
    card: Colour
    ink: Colour
    towards: Colour

    @property
    def behind(self) -> tuple[Colour, Colour]:
        """All of it."""
        return self.page, self.card


LIGHT: Final = Ground("light", Colour.parse("#f5f7f7"), Colour.parse("#ffffff"), Colour.parse("#16211f"), BLACK)
DARK: Final = Ground("dark", Colour.parse("#101716"), Colour.parse("#18211f"), Colour.parse("#e4ecea"), WHITE)
ACCENTS: Final = {LIGHT: Colour.parse("#0b6464"), DARK: Colour.parse("#6fd0cb")}
"""The console's own."""


@dataclass(frozen=True, slots=True)
class BrandColours:
    """A tenant's colours; None is the console's own.

    Attributes:
        accent: of links, buttons and what is chosen, on light pages.
        accent_dark: the same on dark pages; None derives it from `accent`, which is made lighter until it can be read.
        header: of the bar at the top, in both. What stands in it is white or black, whichever reads better.
    """

    accent: Colour | None = None
    accent_dark: Colour | None = None
    header: Colour | None = None

    @classmethod
    def parse(cls, accent: str | None, accent_dark: str | None, header: str | None) -> BrandColours:
        """Reads and checks them; an empty text is none.

        Raises:
            Unreadable: with all that is wrong.
        """
        found: dict[str, Colour | None] = {}
        problems: list[str] = []
        for name, text in (("accent", accent), ("accent_dark", accent_dark), ("header", header)):
            try:
                found[name] = Colour.parse(text.strip()) if text and text.strip() else None
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if not problems:
            colours = cls(**found)
            problems = [*_problems("accent", colours.accent, LIGHT), *_problems("accent_dark", colours.accent_dark, DARK)]
            if not problems:
                return colours
        raise Unreadable("; ".join(problems))

    @classmethod
    def lenient(cls, accent: str | None, accent_dark: str | None, header: str | None) -> BrandColours:
        """Reads them as they were taken once, whatever would be taken now."""
        return cls(*(Colour.parse(text) if text else None for text in (accent, accent_dark, header)))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(colour is not None for colour in (self.accent, self.accent_dark, self.header))

    def accent_on(self, ground: Ground) -> Colour:
        """The accent in this scheme."""
        if ground is LIGHT:
            return self.accent or ACCENTS[LIGHT]
        if self.accent_dark is not None or self.accent is None:
            return self.accent_dark or ACCENTS[DARK]
        return self.accent.readable(ground.towards, ground.behind, _DERIVED)

    def contrast_on(self, ground: Ground) -> float:
        """The contrast of the accent in this scheme, where it has least."""
        return self.accent_on(ground).least_contrast(ground.behind)

    def stylesheet(self) -> str:
        """The style sheet, to be loaded after the console's own."""
        light, dark = self._scheme(LIGHT), self._scheme(DARK)
        # A logo is made for light pages; on dark ones it gets a light plate.
        plate = "" if self.header is not None else " .logo { background: #ffffff; border-radius: 4px; padding: 2px; }"
        sheet = f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }}{plate} }}\n"
        return sheet + (_header(self.header) if self.header is not None else "")

    def _scheme(self, ground: Ground) -> str:
        accent = self.accent_on(ground)
        return f"--accent: {accent}; --on-accent: {accent.on()}; --soft: {soft(accent, ground)};"


def soft(accent: Colour, ground: Ground) -> Colour:
    """The ground of what is chosen: a card with some of the accent in it, as much as leaves the accent readable on it."""
    steps = (ground.card.mixed(accent, _SOFT * part / 10) for part in range(10, -1, -1))
    return next((one for one in steps if accent.contrast(one) >= TEXT_CONTRAST), ground.card)


def _header(header: Colour) -> str:
    ink = header.on()
    away = BLACK if ink == WHITE else WHITE
    chosen = header.mixed(away, 0.2)
    names = {"card": header, "ink": ink, "quiet": ink, "accent": ink, "sign": ink, "soft": chosen, "line": header.mixed(ink, 0.35)}
    given = " ".join(f"--{name}: {colour};" for name, colour in names.items())
    return (
        f".top {{ {given} color: {ink}; }}\n.top nav a[aria-current] {{ box-shadow: inset 0 -2px 0 {ink}; border-radius: 6px 6px 0 0; }}\n"
    )


def _problems(name: str, colour: Colour | None, ground: Ground) -> list[str]:
    if colour is None or colour.least_contrast(ground.behind) >= TEXT_CONTRAST:
        return []
    worst = min(ground.behind, key=colour.contrast)
    ratio = int(colour.contrast(worst) * 100) / 100  # cut off, since 4.497 is not enough
    better = colour.readable(ground.towards, ground.behind)
    which = "darker" if ground is LIGHT else "lighter"
    measured = f"{name} {colour} has a contrast of {ratio:.2f}:1 with the {ground.name} page ({worst})"
    return [f"{measured}, and text needs {TEXT_CONTRAST}:1 ({_RULE}): take a {which} one, as {better}"]
