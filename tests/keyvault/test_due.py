"""What is due, and when something is due next: pure questions over `now`."""

from __future__ import annotations

import pytest

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.due import Activate, Destroy, Prepare, activates_at, due, next_due, stalls_at
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.key import KeyState
from keyvault.leftover import IN_FLIGHT
from keyvault.policy import Policy
from keyvault.readiness import ready_at
from keyvault.ring import Ring
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, kids, settled, with_policy

EDDSA = Algorithm.EDDSA


def test_a_new_ring_gets_an_active_key_and_a_standby_at_once() -> None:
    assert due(Ring.empty(), POLICY, NOW) == [Prepare(1, EDDSA, activate=True), Prepare(2, EDDSA)]
    assert next_due(Ring.empty(), POLICY, NOW) == NOW
    ring = settled().ring
    assert ring.active is not None
    assert ring.standby is not None
    assert (ring.active.ordinal, ring.standby.ordinal) == (1, 2)
    assert ring.active.forced is None


def test_then_nothing_is_due_until_the_rotation_period_is_over() -> None:
    ring = settled().ring
    turn = NOW + 90 * DAY
    assert due(ring, POLICY, NOW) == due(ring, POLICY, turn - 1) == []
    assert next_due(ring, POLICY, NOW) == activates_at(ring, POLICY) == turn
    assert due(ring, POLICY, turn) == [Activate(jwk(2).kid), Prepare(3, EDDSA)]


def test_after_a_rotation_the_old_key_is_published_until_its_last_token_has_expired_and_then_destroyed() -> None:
    history = settled()
    turn = NOW + 90 * DAY
    history.settle(turn)
    assert next_due(history.ring, POLICY, turn) == turn + KEPT
    assert due(history.ring, POLICY, turn + KEPT - 1) == []
    assert due(history.ring, POLICY, turn + KEPT) == [Destroy(jwk(1).kid)]
    history.settle(turn + KEPT)
    assert history.ring.find(jwk(1).kid).state is KeyState.DESTROYED
    assert next_due(history.ring, POLICY, turn + KEPT) == turn + 90 * DAY


def test_a_late_standby_is_published_ahead_before_it_signs() -> None:
    history = History()
    only = [action for action in due(Ring.empty(), POLICY, NOW) if isinstance(action, Prepare) and action.activate]
    assert len(only) == 1
    history.carry_out(commands.scheduled(history.ring, POLICY, NOW))
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(2).kid, reason="leaked"), away=True)
    late = NOW + 90 * DAY
    history.settle(late)
    assert kids(history.ring, late) == [1, 3]
    assert next_due(history.ring, POLICY, late) == late + 25 * HOUR
    assert due(history.ring, POLICY, late + 25 * HOUR)[0] == Activate(jwk(3).kid)


def test_after_a_year_away_one_rotation_is_due_and_not_four() -> None:
    history = settled()
    history.settle(NOW + 365 * DAY)
    assert kids(history.ring, NOW + 365 * DAY) == [2, 3, 1]
    assert due(history.ring, POLICY, NOW + 365 * DAY) == []


def test_a_ring_without_a_standby_stalls_when_it_should_have_rotated() -> None:
    policy = with_policy(max_published_keys=2)
    history = settled(policy=policy)
    assert stalls_at(history.ring, policy) is None
    turn = NOW + 90 * DAY
    history.settle(turn, policy)
    assert due(history.ring, policy, turn) == [], "it waits for room"
    assert stalls_at(history.ring, policy) == turn + 90 * DAY
    history.settle(turn + KEPT, policy)
    assert stalls_at(history.ring, policy) is None
    assert stalls_at(Ring.empty(), policy) is None


def test_a_rotation_period_that_a_policy_says_it_cannot_keep_is_not_waited_for_in_vain() -> None:
    policy = with_policy(max_published_keys=2, rotation_period=2 * HOUR, publish_ahead=30 * MINUTE, max_token_lifetime=DAY)
    assert "rotation_period will not be kept" in str(policy.warnings())
    history = settled(policy=policy)
    turn = NOW + 2 * HOUR
    history.settle(turn, policy)
    gone = turn + policy.kept(DAY)
    assert stalls_at(history.ring, policy) == next_due(history.ring, policy, turn) == gone


def test_a_standby_of_another_algorithm_that_cannot_be_replaced_takes_nothing_over() -> None:
    history = settled()
    other = with_policy(algorithm=Algorithm.ES256, max_published_keys=2)
    assert stalls_at(history.ring, other) == NOW + 90 * DAY


def test_after_a_compromise_a_ring_is_late_until_a_key_is_there_that_nobody_knew() -> None:
    history = settled()
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + 1, jwk(1).kid, reason="leaked"), away=True)
    assert stalls_at(history.ring, POLICY) == NOW + 1
    history.settle(NOW + 2)
    assert stalls_at(history.ring, POLICY) is None


def test_without_room_the_standby_waits_until_a_key_leaves() -> None:
    policy = with_policy(max_published_keys=2)
    history = settled(policy=policy)
    turn = NOW + 90 * DAY
    history.settle(turn, policy)
    assert kids(history.ring, turn) == [2, 1]
    assert due(history.ring, policy, turn) == []
    assert next_due(history.ring, policy, turn) == turn + KEPT
    assert due(history.ring, policy, turn + KEPT) == [Prepare(3, EDDSA), Destroy(jwk(1).kid)]


def test_another_algorithm_replaces_the_standby_and_takes_over_when_it_is_ready() -> None:
    history, policy = settled(), with_policy(algorithm=Algorithm.ES256)
    changed = NOW + DAY
    history.carry_out(commands.change_policy(history.ring, policy, changed))
    assert due(history.ring, policy, changed) == [Prepare(3, Algorithm.ES256, replaces=jwk(2).kid)]
    assert activates_at(history.ring, policy) is None
    history.settle(changed, policy)
    assert activates_at(history.ring, policy) == changed + 25 * HOUR
    assert kids(history.ring, changed) == [1, 3]
    assert due(history.ring, policy, changed) == [Destroy(jwk(2).kid)]  # it never signed, so nobody needs it
    history.settle(changed, policy)
    left = changed + IN_FLIGHT + policy.clock_skew
    assert next_due(history.ring, policy, changed) == left
    history.settle(left, policy)  # what an attempt by the old algorithm may have created
    assert next_due(history.ring, policy, left) == changed + 25 * HOUR
    history.settle(changed + 25 * HOUR, policy)
    assert kids(history.ring, changed + 25 * HOUR) == [3, 4, 1]
    algorithms = [key.algorithm for key in history.ring.published(changed + 25 * HOUR)]
    assert algorithms == [Algorithm.ES256, Algorithm.ES256, EDDSA]


def test_an_emergency_key_takes_over_after_max_age_and_skew() -> None:
    history = settled()
    at = NOW + DAY
    history.carry_out(commands.compromise(history.ring, POLICY, at, jwk(1).kid, reason="leaked"))
    history.settle(at)
    assert kids(history.ring, at) == [2, 3]
    assert next_due(history.ring, POLICY, at) == at + 10 * MINUTE
    assert ready_at(history.ring, POLICY, history.ring.keys[2]) == at + 10 * MINUTE
    history.settle(at + 10 * MINUTE)
    assert history.ring.active is not None
    assert history.ring.active.ordinal == 3
    assert history.ring.standby is not None
    assert not history.ring.standby.emergency
    assert next_due(history.ring, POLICY, at + 10 * MINUTE) == at + 10 * MINUTE + KEPT


def test_an_emergency_key_that_could_not_be_made_is_made_later() -> None:
    history = settled()
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason="leaked"), away=True)
    assert kids(history.ring, NOW) == [2]
    assert due(history.ring, POLICY, NOW + HOUR) == [Prepare(3, EDDSA, emergency=True)]


def test_after_a_compromise_with_the_store_away_the_next_due_prepares_and_activates() -> None:
    history = settled(policy=(policy := with_policy(max_published_keys=2)))
    history.settle(turn := NOW + 90 * DAY, policy)
    history.carry_out(commands.compromise(history.ring, policy, turn, jwk(2).kid, reason="leaked"), away=True)
    assert history.ring.active is None
    assert due(history.ring, policy, turn) == [Prepare(3, EDDSA, activate=True)]
    history.settle(turn, policy)
    assert kids(history.ring, turn) == [3, 1]
    assert history.ring.takeover_from is None  # it is unknown to every cache already


@pytest.mark.parametrize("step", [300, 1000, 7000])
def test_a_lifecycle_of_seconds_wakes_up_in_time_and_never_too_often(step: int) -> None:
    policy = Policy(
        algorithm=EDDSA,
        rotation_period=6 * SECOND,
        publish_ahead=2 * SECOND,
        max_token_lifetime=SECOND,
        clock_skew=0,
        jwks_max_age=SECOND,
    )
    history, now = settled(policy=policy), NOW
    for _ in range(20):
        wake = next_due(history.ring, policy, now)
        assert wake is not None
        assert wake > now
        assert due(history.ring, policy, wake - 1) == []
        now = wake + step  # a scheduler that is late
        assert due(history.ring, policy, now)
        history.settle(now, policy)
        assert due(history.ring, policy, now) == []
        assert history.ring.active is not None
