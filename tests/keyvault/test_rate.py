"""Rates: their slots, and a pace that keeps them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import InvalidWave
from keyvault.rate import Pace, Rate
from tests.keyvault.made import NOW

RATES = st.builds(Rate, st.integers(1, 3000), st.sampled_from([SECOND, MINUTE, HOUR, DAY]))


@pytest.mark.parametrize(
    ("text", "rate"), [("500/h", Rate(500, HOUR)), ("1/s", Rate(1, SECOND)), ("7/min", Rate(7, MINUTE)), ("9/d", Rate(9, DAY))]
)
def test_a_rate_is_written_as_people_say_it(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert str(rate) == text


@pytest.mark.parametrize("text", ["", "500", "0/h", "-1/h", "1.5/h", "500/ h", "500/m", "500/w", "1000000/s", "٣/h", "500/h\n"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidWave, match="is not a rate"):
        Rate.parse(text)


@given(RATES, st.integers(0, 10_000), st.integers(1, 5000))
def test_slots_in_a_row_last_as_long_as_the_rate_says(rate: Rate, number: int, more: int) -> None:
    assert rate.slot(number + rate.count) - rate.slot(number) == rate.per
    assert rate.slot(number + more) - rate.slot(number) >= rate.slot(more)


@given(RATES, st.integers(), st.integers(1, 300))
def test_whoever_is_on_time_is_never_held_up(rate: Rate, seed: int, count: int) -> None:
    dice, pace = random.Random(seed), Pace(rate)
    slot = 0
    for _ in range(count):
        turn = NOW + dice.randint(rate.slot(slot), max(rate.slot(slot), rate.slot(slot + 1) - 1))
        assert pace.next(turn) == turn
        slot += dice.choice([1, 1, 1, 2, 9])


@given(RATES, st.lists(st.integers(0, 3), min_size=3, max_size=300))
def test_a_crowd_goes_one_by_one(rate: Rate, steps: list[int]) -> None:
    pace, now = Pace(rate), NOW
    turns = []
    for step in steps:
        now += step
        turns.append(turn := pace.next(now))
        assert turn >= now
    for number, turn in enumerate(turns[2:], start=2):
        for apart in (number, 2, 3):
            if apart <= number:  # two at once, as at the border of two slots, then as the rate says
                assert turn - turns[number - apart] >= (apart - 1) * rate.per // rate.count - 2
