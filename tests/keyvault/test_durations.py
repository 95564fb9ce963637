"""ISO 8601 durations are read and written to the millisecond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault.durations import DAY, HOUR, MINUTE, SECOND, parse_duration, render_duration
from keyvault.errors import InvalidDuration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("PT0S", 0),
        ("PT1S", SECOND),
        ("PT0.25S", 250),
        ("PT5M", 5 * MINUTE),
        ("PT300S", 300 * SECOND),
        ("PT25H", 25 * HOUR),
        ("P1DT1H", 25 * HOUR),
        ("P90D", 90 * DAY),
        ("P2W", 14 * DAY),
        ("P1DT2H3M4.005S", DAY + 2 * HOUR + 3 * MINUTE + 4005),
    ],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "1S",
        "PT1",
        "P1M",
        "P1Y",
        "PT-1S",
        "-PT1S",
        "PT1.5M",
        "pt1s",
        "PT1S\n",
        "PT\u0661S",
        "PT1.0001S",
        "PT1S2M",
        5,
        None,
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(InvalidDuration, match="write it like"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "PT0S"),
        (1, "PT0.001S"),
        (1500, "PT1.5S"),
        (65 * MINUTE, "PT1H5M"),
        (DAY, "P1D"),
        (25 * HOUR, "PT25H"),
        (2 * DAY - 1, "PT47H59M59.999S"),
        (2 * DAY, "P2D"),
        (30 * DAY + 10 * MINUTE, "P30DT10M"),
        (90 * DAY, "P90D"),
    ],
)
def test_days_are_written_as_days_from_two_on(milliseconds: int, text: str) -> None:
    assert render_duration(milliseconds) == text


@given(st.integers(min_value=0, max_value=10**13))
def test_what_was_written_reads_the_same(milliseconds: int) -> None:
    assert parse_duration(render_duration(milliseconds)) == milliseconds
