"""A tenant's brand: a form, and a picture of what its pages will look like."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import ClassVar

from dashboards.console.brand_colours import DARK, LIGHT, BrandColours, Ground
from dashboards.console.colours import Colour
from dashboards.console.text import json_escaped


@dataclass(frozen=True, slots=True)
class Preview:
    """How pages look in one scheme; colours are `#rrggbb`.

    Attributes:
        contrast: of the accent with the page, as 5.9.
    """

    name: str
    page: Colour
    card: Colour
    ink: Colour
    header: Colour
    on_header: Colour
    accent: Colour
    on_accent: Colour
    contrast: str

    @classmethod
    def of(cls, colours: BrandColours, ground: Ground) -> Preview:
        """The preview of these colours."""
        header, accent = colours.header or ground.card, colours.accent_on(ground)
        return cls(
            name=ground.name,
            page=ground.page,
            card=ground.card,
            ink=ground.ink,
            header=header,
            on_header=colours.header.on() if colours.header is not None else ground.ink,
            accent=accent,
            on_accent=accent.on(),
            contrast=f"{int(colours.contrast_on(ground) * 10) / 10:.1f}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandPage:
    """The form.

    Attributes:
        display_name: what the pages say without a brand.
        name, accent, accent_dark, header: as they stand in the form.
        logo: where the logo of the preview is; None without.
        has_logo: whether one is set, and so can be removed.
        unsaved: whether the form holds what is not set yet.
        previews: light and dark.
        kept: whether they are in the colours that are set, since those of the form can't be read.
        notice: what has just been done.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "brand.html"
    tenant: str
    display_name: str
    name: str = ""
    accent: str = ""
    accent_dark: str = ""
    header: str = ""
    logo: str | None = None
    logo_size: tuple[int, int] = (0, 0)
    has_logo: bool = False
    unsaved: bool = False
    previews: tuple[Preview, ...] = ()
    kept: bool = False
    notice: tuple[str, ...] = ()
    trouble: str | None = None
    title: str = "Brand"

    @property
    def shown_name(self) -> str:
        """What the pages say, as far as it fits into the picture, where no sign can stand for what can't be seen."""
        return json_escaped(self.name.strip() or self.display_name)[:24]

    @property
    def fields(self) -> tuple[tuple[str, str, str, str, str], ...]:
        """The colours: name, label, what it is for, value, and the colour that pages have for it: where it is empty, one that is made."""
        light, dark = self.previews or previews(BrandColours())
        made = "left empty, it is made from the accent, light enough to be read"
        bar = "the bar at the top; its text is white or black, whichever reads better"
        return (
            ("accent", "Accent", "links and buttons", self.accent, _colour(self.accent, light.accent)),
            ("accent_dark", "Accent on dark pages", made, self.accent_dark, _colour(self.accent_dark, dark.accent)),
            ("header", "Header", bar, self.header, _colour(self.header, light.header)),
        )


def _colour(text: str, otherwise: Colour) -> str:
    """The colour as a picker takes it."""
    try:
        return str(Colour.parse(text))
    except ValueError:
        return str(otherwise)


def previews(colours: BrandColours) -> tuple[Preview, ...]:
    """Light and dark."""
    return Preview.of(colours, LIGHT), Preview.of(colours, DARK)


def data_url(media_type: str, data: bytes) -> str:
    """A picture that is not set yet, as an address that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
