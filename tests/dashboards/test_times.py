"""Times in words, and how a histogram divides them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.histogram import HEIGHT, WIDTH, chart
from dashboards.console.times import MAX_BARS, age, interval, utc, words

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_795_452_710_932  # 2026-11-23T16:51:50.932Z
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def test_a_time_is_utc_and_says_so() -> None:
    assert utc(NOW) == "2026-11-23 16:51:50Z"


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (0, "now"),
        (999, "now"),
        (5_000, "5 s ago"),
        (90_000, "2 min ago"),
        (25 * HOUR, "25 h ago"),
        (3 * DAY, "3 d ago"),
        (-25 * HOUR, "in 25 h"),
    ],
)
def test_an_age(distance: int, text: str) -> None:
    assert age(NOW - distance, NOW) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (90 * DAY, "90 days"),
        (25 * HOUR, "25 hours"),
        (HOUR, "1 hour"),
        (65 * 60_000, "1 hour 5 minutes"),
        (300_000, "5 minutes"),
        (0, "0 seconds"),
    ],
)
def test_a_duration_is_said_as_people_say_it(ms: int, text: str) -> None:
    assert words(ms) == text


@given(st.integers(EARLIEST, LATEST), st.integers(EARLIEST, LATEST))
def test_every_span_has_few_bars_of_a_length_that_is_a_multiple_of_a_second(one: int, other: int) -> None:
    first, last = sorted((one, other))
    _, length = interval(first, last)
    assert last // length - first // length < MAX_BARS
    assert length % 1000 == 0


@given(st.dictionaries(st.integers(0, 23), st.integers(1, 10**9), min_size=1), st.data())
def test_bars_stay_in_their_box_and_keep_their_order(counts: dict[int, int], data: st.DataObject) -> None:
    failures = {hour: data.draw(st.integers(0, count)) for hour, count in counts.items()}
    _, length = interval(NOW, NOW + 24 * HOUR)
    start = NOW // length * length
    drawn = chart(
        NOW,
        NOW + 24 * HOUR,
        {start + hour * length: count for hour, count in counts.items()},
        {start + hour * length: count for hour, count in failures.items()},
    )
    assert len(drawn.bars) == len(counts)
    assert drawn.total == sum(counts.values())
    assert [bar.x for bar in drawn.bars] == sorted(bar.x for bar in drawn.bars)
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH and 0 < bar.height <= HEIGHT and 0 <= bar.failed <= HEIGHT for bar in drawn.bars)


def test_a_bar_says_what_it_is_and_names_its_own_time() -> None:
    start = NOW // HOUR * HOUR
    (bar,) = chart(start, start + 100 * HOUR, {start: 1200}, {start: 1}).bars
    assert bar.label == "2026-11-23 16:00:00Z: 1,200 events, 1 failed"
    assert (bar.since, bar.until) == ("2026-11-23T16:00:00Z", "2026-11-23T17:00:00Z")
