"""Contrast as WCAG 2.2 measures it, and what a tenant's colours become."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.brand_colours import ACCENTS, DARK, LIGHT, BrandColours, Ground, Unreadable, soft
from dashboards.console.colours import BLACK, TEXT_CONTRAST, WHITE, Colour

colours = st.builds(Colour, *[st.integers(0, 255)] * 3)


@pytest.mark.parametrize(
    ("text", "ground", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#767676", "#ffffff", 4.54), ("#777777", "#ffffff", 4.48)],
)
def test_contrasts_are_those_that_every_checker_gives(text: str, ground: str, ratio: float) -> None:
    assert Colour.parse(text).contrast(Colour.parse(ground)) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("text", ["", "red", "#fff", "#12345g", "0b6464", "#0b6464;}", "#\u0661\u0661\u0661\u0661\u0661\u0661"])
def test_only_six_hexadecimal_digits_are_a_colour(text: str) -> None:
    with pytest.raises(ValueError, match="is no colour: write it as #rrggbb"):
        Colour.parse(text)


@given(colours)
def test_text_on_any_colour_can_be_read(colour: Colour) -> None:
    assert colour.contrast(colour.on()) >= TEXT_CONTRAST


@given(colours, st.sampled_from([LIGHT, DARK]))
def test_a_colour_that_can_be_read_is_near_any(colour: Colour, ground: Ground) -> None:
    readable = colour.readable(ground.towards, ground.behind)
    assert readable.least_contrast(ground.behind) >= TEXT_CONTRAST
    if colour.least_contrast(ground.behind) >= TEXT_CONTRAST:
        assert readable == colour


@given(colours, colours)
def test_whatever_is_taken_can_be_read_everywhere(accent: Colour, header: Colour) -> None:
    try:
        brand = BrandColours.parse(str(accent), None, str(header))
    except Unreadable as error:
        suggested = re.findall(r"#[0-9a-f]{6}", str(error))[-1]
        brand = BrandColours.parse(suggested, None, str(header))  # what it suggests is taken
    for ground in (LIGHT, DARK):
        found = brand.accent_on(ground)
        assert brand.contrast_on(ground) >= TEXT_CONTRAST
        assert found.contrast(soft(found, ground)) >= TEXT_CONTRAST
    rule = brand.stylesheet().partition(".top {")[2]
    values = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rule))
    for behind in ("card", "soft"):
        assert Colour.parse(values["ink"]).contrast(Colour.parse(values[behind])) >= TEXT_CONTRAST


def test_an_accent_that_is_too_light_is_refused_with_what_it_measures_and_what_will_do() -> None:
    with pytest.raises(Unreadable) as raised:
        BrandColours.parse("#ffcc00", "#333333", "blue")
    assert "header: 'blue' is no colour" in str(raised.value)
    with pytest.raises(Unreadable) as raised:
        BrandColours.parse("#ffcc00", "#333333", None)
    message = str(raised.value)
    assert "accent #ffcc00 has a contrast of 1.40:1 with the light page (#f5f7f7), and text needs 4.5:1 (WCAG 2.2, 1.4.3)" in message
    assert "take a darker one, as #" in message
    assert "accent_dark #333333 has a contrast of 1." in message
    assert "take a lighter one, as #" in message


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    sheet = files("dashboards.console").joinpath("static", "console.css").read_text()
    light, dark = sheet.split("@media (prefers-color-scheme: dark)")[:2]
    for ground, part in ((LIGHT, light), (DARK, dark)):
        values = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))
        assert {"page": str(ground.page), "card": str(ground.card), "ink": str(ground.ink)} == {
            name: values[name] for name in ("page", "card", "ink")
        }
        assert str(ACCENTS[ground]) == values["accent"]


def test_no_colours_change_nothing() -> None:
    assert not BrandColours()
    assert "--accent: #0b6464; --on-accent: #ffffff;" in BrandColours().stylesheet()
    assert ".top" not in BrandColours().stylesheet()
    assert WHITE.contrast(BLACK) == 21
