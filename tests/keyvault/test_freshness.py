"""Caches of the JWKS end when a planned change happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keyvault import commands
from keyvault.durations import DAY, MINUTE, SECOND
from keyvault.freshness import Freshness, freshness
from tests.keyvault.made import KEPT, NOW, POLICY, jwk, settled

TURN = NOW + 90 * DAY
FULL = 5 * MINUTE


def test_far_from_any_change_it_is_what_the_policy_says() -> None:
    found = freshness(settled().ring, POLICY, NOW)
    assert (found.max_age, found.until) == (FULL, TURN - FULL + 1)


def test_before_a_standby_signs_it_counts_down_to_that_moment() -> None:
    ring = settled().ring
    assert freshness(ring, POLICY, TURN - FULL).max_age == FULL
    assert freshness(ring, POLICY, TURN - 2 * MINUTE).max_age == 2 * MINUTE
    assert freshness(ring, POLICY, TURN - 1).max_age == 30 * SECOND, "not less than a tenth"


def test_and_to_the_moment_at_which_a_key_leaves() -> None:
    history = settled()
    history.settle(TURN)
    assert freshness(history.ring, POLICY, TURN + KEPT - MINUTE).max_age == MINUTE


def test_a_ring_without_plans_has_no_end() -> None:
    history = settled()
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(2).kid, reason="leaked"), away=True)
    assert history.ring.standby is None
    assert freshness(history.ring, POLICY, NOW) == Freshness(FULL, None)


def test_an_empty_jwks_is_not_kept_when_there_is_a_key_again() -> None:
    history = settled()
    for ordinal in (2, 1):
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(ordinal).kid, reason="leaked"), away=True)
    assert history.ring.published(NOW) == ()
    assert freshness(history.ring, POLICY, NOW) == Freshness(SECOND, None)
    history.settle(NOW + 1)
    assert freshness(history.ring, POLICY, NOW + 1).max_age == FULL


@given(st.integers(NOW, TURN + KEPT))
def test_an_answer_holds_until_it_says(moment: int) -> None:
    history = settled()
    if moment >= TURN:
        history.settle(TURN)
    found = freshness(history.ring, POLICY, moment)
    assert 30 * SECOND <= found.max_age <= FULL
    assert found.until is None or found.until > moment
    if found.max_age == FULL and found.until is not None:
        assert freshness(history.ring, POLICY, found.until - 1).max_age == FULL
