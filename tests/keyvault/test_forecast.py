"""What is coming to a ring: the same as comes if it is waited for."""

from __future__ import annotations

import pytest

from keyvault import commands
from keyvault.due import next_due
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.events import KeyActivated, KeyDestroyed, KeyPrepared, PolicyChanged
from keyvault.forecast import Coming, Kind, forecast, upcoming
from keyvault.policy import Policy
from keyvault.ring import Ring
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, with_policy

KINDS = {KeyPrepared: Kind.PREPARE, KeyActivated: Kind.ACTIVATE, KeyDestroyed: Kind.RETIRE}


def ring_of(policy: Policy, now: int = NOW) -> History:
    """A new ring that has this policy in its history, as those of tenants do."""
    history = History()
    history.append([PolicyChanged(at=now, policy=policy)])
    history.settle(now, policy)
    return history


def waited_for(history: History, now: int, until: int) -> list[tuple[int, Kind]]:
    """What really comes: every action is carried out at the moment when it is due."""
    seen = []
    policy = history.ring.policy
    while (when := next_due(history.ring, policy, now)) is not None and when < until:
        now = max(now, when)
        seen += [(now, KINDS[type(event)]) for event in history.settle(now, policy) if type(event) in KINDS]
    return seen


@pytest.mark.parametrize(
    "policy",
    [
        POLICY,
        with_policy(rotation_period=7 * DAY),
        with_policy(rotation_period=2 * DAY, publish_ahead=26 * HOUR, max_token_lifetime=12 * HOUR),
    ],
    ids=["default", "weekly", "every other day"],
)
def test_it_is_what_comes_if_one_waits(policy: Policy) -> None:
    until = NOW + 200 * DAY
    expected = forecast(ring_of(policy).ring, NOW, until)
    real = waited_for(ring_of(policy), NOW, until)
    assert {(one.at, one.kind) for one in expected} == set(real)
    assert len(expected) == len(real) > 0
    for now in (NOW, NOW + DAY, NOW + 89 * DAY):
        assert upcoming(ring_of(policy).ring, now).at == forecast(ring_of(policy).ring, now, until)[0].at


def test_what_comes_next_is_known_however_far_away_it_is() -> None:
    policy = with_policy(rotation_period=1000 * DAY)
    ring = ring_of(policy).ring
    coming = upcoming(ring, NOW + 2 * DAY)
    assert (coming.at, coming.kind) == (NOW + 1000 * DAY, Kind.ACTIVATE)
    assert forecast(ring, NOW + 2 * DAY, NOW + 900 * DAY) == []


def test_a_new_tenant_of_whom_no_key_is_made_yet_needs_them_now() -> None:
    coming = forecast(Ring.empty(), NOW, NOW + DAY)
    assert coming == [
        Coming(NOW, Kind.PREPARE, overdue=True),
        Coming(NOW, Kind.PREPARE),
        Coming(NOW, Kind.ACTIVATE, overdue=True),
    ]


def test_the_key_is_named_if_it_is_there_already() -> None:
    ring = ring_of(POLICY).ring
    turn = NOW + 90 * DAY
    assert forecast(ring, NOW, turn) == []
    assert forecast(ring, NOW, turn + 1) == [Coming(turn, Kind.PREPARE), Coming(turn, Kind.ACTIVATE, jwk(2).kid)]
    assert Coming(turn + KEPT, Kind.RETIRE, jwk(1).kid) in forecast(ring, NOW, turn + DAY)


def test_what_should_have_been_done_is_overdue_and_comes_now() -> None:
    late = NOW + 91 * DAY
    activate = next(one for one in forecast(ring_of(POLICY).ring, late, late + DAY) if one.kind is Kind.ACTIVATE)
    assert activate == Coming(late, Kind.ACTIVATE, jwk(2).kid, overdue=True)


def test_after_a_compromise_the_key_that_takes_over_comes_soon() -> None:
    history = ring_of(POLICY)
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason="leaked"))
    history.settle(NOW)
    real = waited_for(History(history.ring), NOW, NOW + DAY)
    turn = next(at for at, kind in real if kind is Kind.ACTIVATE)
    assert turn == NOW + 10 * MINUTE
    assert turn in [one.at for one in forecast(history.ring, NOW, NOW + DAY) if one.kind is Kind.ACTIVATE]


def test_a_ring_that_rotates_every_hour_has_one_of_each_kind_a_day() -> None:
    policy = with_policy(rotation_period=HOUR, publish_ahead=20 * MINUTE, max_token_lifetime=MINUTE, clock_skew=MINUTE)
    coming = forecast(ring_of(policy).ring, NOW, NOW + 28 * DAY)
    assert sum(one.kind is Kind.ACTIVATE for one in coming) == 28
    assert len(coming) <= 3 * 28 + 1
