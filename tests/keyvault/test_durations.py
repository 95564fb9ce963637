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


def test_whole_days_are_written_as_days_and_all_else_in_hours() -> None:
    assert [render_duration(value) for value in (0, 1, 90 * DAY, 25 * HOUR, 65 * MINUTE, 1500)] == [
        "PT0S",
        "PT0.001S",
        "P90D",
        "PT25H",
        "PT1H5M",
        "PT1.5S",
    ]


@given(st.integers(min_value=0, max_value=10**13))
def test_what_was_written_reads_the_same(milliseconds: int) -> None:
    assert parse_duration(render_duration(milliseconds)) == milliseconds
