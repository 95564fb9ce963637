"""The plan of a wave: everybody once, never faster than the rate, the same on every node; and what it asks of a ring."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.due import Activate, activates_at, due, next_due, soonest
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import InvalidWave
from keyvault.events import KeyActivated
from keyvault.rate import Rate
from keyvault.readiness import ready_at
from keyvault.wave import Request, plan
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, settled, with_policy

HOURLY = Rate(500, HOUR)
RATES = st.builds(Rate, st.integers(1, 50), st.sampled_from([SECOND, MINUTE, HOUR]))
TENANTS = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(NOW - DAY, NOW + DAY), min_size=1, max_size=150)
READY = {f"tenant-{number}": NOW for number in range(200)}


@given(TENANTS, RATES, st.floats(0, 1), st.text())
def test_everybody_has_one_turn_and_nobody_before_they_could_rotate(tenants: dict[str, int], rate: Rate, jitter: float, seed: str) -> None:
    turns = plan(tenants, rate, starts_at=NOW, jitter=jitter, seed=seed)
    assert turns.keys() == tenants.keys()
    assert all(turn >= max(NOW, tenants[tenant]) for tenant, turn in turns.items())
    assert list(turns.values()) == sorted(turns.values())


@given(TENANTS, RATES, st.floats(0, 1), st.text())
def test_the_rate_is_never_exceeded(tenants: dict[str, int], rate: Rate, jitter: float, seed: str) -> None:
    turns = list(plan(tenants, rate, starts_at=NOW, jitter=jitter, seed=seed).values())
    most = 1 if jitter else 0  # that a turn may have moved from the slot before into a time of so many slots
    for number, turn in enumerate(turns):
        for slots in range(1, number - most + 1):
            assert turn - turns[number - slots - most] >= rate.slot(slots)


@given(st.integers(1, 200), RATES, st.floats(0, 1), st.text())
def test_no_slot_is_wasted_on_those_who_are_ready(count: int, rate: Rate, jitter: float, seed: str) -> None:
    turns = plan(dict(list(READY.items())[:count]), rate, starts_at=NOW, jitter=jitter, seed=seed)
    for number, turn in enumerate(turns.values()):
        assert NOW + rate.slot(number) <= turn <= NOW + rate.slot(number + 1)


@given(TENANTS, st.randoms(use_true_random=False))
def test_the_plan_is_the_same_on_every_node(tenants: dict[str, int], dice: random.Random) -> None:
    names = list(tenants)
    dice.shuffle(names)
    first, second = (plan(one, HOURLY, starts_at=NOW, jitter=0.5, seed="7") for one in (tenants, {name: tenants[name] for name in names}))
    assert list(first.items()) == list(second.items())


def test_the_order_is_drawn_by_lot() -> None:
    first, second = (plan(READY, HOURLY, starts_at=NOW, jitter=0, seed=seed) for seed in ("one", "another"))
    assert list(first) != list(second) != sorted(READY)
    assert list(first.values()) == list(second.values())


def test_jitter_moves_turns_inside_their_slots() -> None:
    turns = plan(READY, HOURLY, starts_at=NOW, jitter=1, seed="7")
    inside = [(turn - NOW) % HOURLY.slot(1) for turn in turns.values()]
    assert min(inside) < HOURLY.slot(1) // 4
    assert max(inside) > HOURLY.slot(1) * 3 // 4


def test_those_who_become_ready_together_do_not_rotate_together() -> None:
    turns = plan(dict.fromkeys(READY, NOW + 25 * HOUR), HOURLY, starts_at=NOW, jitter=0, seed="7")
    assert list(turns.values()) == [NOW + 25 * HOUR + HOURLY.slot(number) for number in range(200)]


@pytest.mark.parametrize("jitter", [-0.1, 1.1, float("nan")])
def test_a_jitter_that_is_none_is_refused(jitter: float) -> None:
    with pytest.raises(InvalidWave, match="from 0 to 1"):
        plan(READY, HOURLY, starts_at=NOW, jitter=jitter, seed="7")


def test_a_wave_for_nobody_is_refused() -> None:
    with pytest.raises(InvalidWave, match="no tenant"):
        plan({}, HOURLY, starts_at=NOW, jitter=0, seed="7")


def asked(due_at: int, *, at: int = NOW + DAY) -> History:
    history = settled()
    history.ring = history.ring.ask(Request("wave", at, due_at, HOURLY))
    return history


def test_a_ring_that_is_asked_rotates_at_its_turn_instead_of_after_the_rotation_period() -> None:
    history, turn = asked(NOW + 2 * DAY), NOW + 2 * DAY
    assert activates_at(history.ring, POLICY) == next_due(history.ring, POLICY, NOW + DAY) == turn
    assert due(history.ring, POLICY, turn - 1) == []
    activated = [event for event in history.settle(turn) if isinstance(event, KeyActivated)]
    assert [(event.kid, event.wave, event.forced) for event in activated] == [(jwk(2).kid, "wave", None)]
    assert history.ring.requested is None
    assert activates_at(history.ring, POLICY) == turn + 90 * DAY


def test_a_standby_that_is_not_ready_is_waited_for() -> None:
    history = asked(NOW + HOUR, at=NOW + 1)
    assert activates_at(history.ring, POLICY) == NOW + 25 * HOUR == soonest(history.ring, POLICY, NOW + HOUR)


def test_a_wave_never_prolongs_what_is_due_anyway() -> None:
    history = asked(NOW + 365 * DAY)
    assert activates_at(history.ring, POLICY) == NOW + 90 * DAY
    [*_, activated] = [event for event in history.settle(NOW + 90 * DAY) if isinstance(event, KeyActivated)]
    assert activated.wave is None
    assert history.ring.requested is None


def test_any_other_rotation_answers_the_wave() -> None:
    history = asked(NOW + 9 * DAY)
    history.carry_out(commands.rotate(history.ring, POLICY, NOW + 2 * DAY))
    assert history.ring.requested is None
    history.settle(NOW + 2 * DAY)
    assert activates_at(history.ring, POLICY) == NOW + 92 * DAY


def test_a_compromise_answers_the_wave() -> None:
    history = asked(NOW + 9 * DAY)
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + 2 * DAY, jwk(1).kid, reason="leaked"))
    assert history.ring.requested is None


def test_it_is_the_same_in_whatever_order_a_node_hears_of_wave_and_ring() -> None:
    history = settled()
    request = Request("wave", NOW + DAY, NOW + 2 * DAY, HOURLY)
    rotated = settled()
    rotated.settle(NOW + 90 * DAY)
    ring = history.ring.ask(request)
    for event in rotated.events[len(history.events) :]:
        ring = ring.apply(event)
    assert ring == rotated.ring.ask(request) == rotated.ring
    before = History().ring.ask(request)
    for event in history.events:  # older than the wave: they don't answer it
        before = before.apply(event)
    assert before == history.ring.ask(request)


def test_a_ring_is_released_by_the_wave_that_asked_it() -> None:
    history = asked(NOW + 2 * DAY)
    assert history.ring.release("another") is history.ring
    assert history.ring.release("wave") == settled().ring
    assert due(history.ring.release("wave"), POLICY, NOW + 2 * DAY) == []


def test_another_algorithm_does_not_wait_for_a_turn() -> None:
    history, policy = asked(NOW + 9 * DAY), with_policy(algorithm=Algorithm.ES256)
    history.carry_out(commands.change_policy(history.ring, policy, NOW + 2 * DAY))
    history.settle(NOW + 2 * DAY, policy)
    assert activates_at(history.ring, policy) == NOW + 2 * DAY + 25 * HOUR


def test_who_has_no_standby_can_rotate_once_one_was_published_for_long_enough() -> None:
    policy = with_policy(max_published_keys=2)
    history = settled(policy=policy)
    history.settle(turn := NOW + 90 * DAY, policy)
    assert history.ring.standby is None
    assert soonest(history.ring, policy, turn) == turn + KEPT + 25 * HOUR
    history.ring = history.ring.ask(Request("wave", turn + 1, turn + 2, HOURLY))
    assert activates_at(history.ring, policy) is None
    history.settle(turn + KEPT, policy)
    standby = history.ring.standby
    assert standby is not None
    assert next_due(history.ring, policy, turn + KEPT) == ready_at(history.ring, policy, standby) == turn + KEPT + 25 * HOUR
    assert due(history.ring, policy, turn + KEPT + 25 * HOUR)[0] == Activate(standby.kid)


def test_a_new_ring_can_rotate_at_once() -> None:
    assert soonest(History().ring, POLICY, NOW) == NOW
