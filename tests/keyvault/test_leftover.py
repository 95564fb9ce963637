"""What attempts that came to nothing may have left in the key store: the ring knows the names, and `due` when they are destroyed."""

from __future__ import annotations

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.due import Discard, due, next_due
from keyvault.events import KeyDiscarded, KeyPrepared
from keyvault.leftover import IN_FLIGHT, Leftover, Tried
from keyvault.policy import Policy
from tests.keyvault.made import NOW, POLICY, History, jwk, with_policy

GRACE = IN_FLIGHT + POLICY.clock_skew
GRACE = IN_FLIGHT + POLICY.clock_skew
ELLIPTIC = with_policy(algorithm=Algorithm.ES256)


def with_its_policy(policy: Policy = POLICY) -> History:
    """A new tenant's ring whose policy is in its log, as a tenant's is."""
    history = History()
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    history.settle(NOW, policy)
    history.settle(NOW + GRACE, policy)
    assert history.ring.leftovers == ()
    return history


def test_without_another_algorithm_nothing_can_be_left() -> None:
    history = with_its_policy()
    for days in (90, 180, 270):
        history.settle(NOW + days * 86_400_000)
        assert history.ring.leftovers == ()


def test_the_algorithms_of_all_policies_since_the_last_key_may_have_been_tried() -> None:
    history, at = with_its_policy(), NOW + 86_400_000
    for algorithm in (Algorithm.RS256, Algorithm.ES384, Algorithm.ES256):
        history.carry_out(commands.change_policy(history.ring, with_policy(algorithm=algorithm), at))
    history.settle(at, ELLIPTIC)
    others = {Algorithm.EDDSA, Algorithm.RS256, Algorithm.ES384}
    assert {(one.ordinal, one.algorithm) for one in history.ring.leftovers} == {(3, algorithm) for algorithm in others}


def test_of_the_two_first_keys_each_may_be_left() -> None:
    history = History()
    history.carry_out(commands.change_policy(history.ring, POLICY, NOW))
    assert history.ring.tried == (Tried(Algorithm.RS256, 2),)
    history.settle(NOW)
    assert history.ring.leftovers == (Leftover(1, Algorithm.RS256, NOW), Leftover(2, Algorithm.RS256, NOW))
    assert not history.ring.tried


def test_changed_and_changed_back_the_other_may_be_left() -> None:
    history, at = with_its_policy(), NOW + 86_400_000
    for policy in (ELLIPTIC, POLICY):
        history.carry_out(commands.change_policy(history.ring, policy, at))
    history.carry_out(commands.compromise(history.ring, POLICY, at, jwk(2).kid, reason="a test"))
    history.settle(at)
    assert history.ring.leftovers == (Leftover(3, Algorithm.ES256, at),)
    assert history.ring.tried == ()


def test_a_leftover_is_destroyed_when_no_attempt_can_be_under_way_any_more() -> None:
    history, at = with_its_policy(), NOW + 86_400_000
    history.carry_out(commands.change_policy(history.ring, ELLIPTIC, at))
    history.settle(at, ELLIPTIC)
    history.settle(at, ELLIPTIC)  # the standby that was replaced
    left = Discard(3, Algorithm.EDDSA)
    assert due(history.ring, ELLIPTIC, at + GRACE - 1) == []
    assert next_due(history.ring, ELLIPTIC, at) == at + GRACE
    assert due(history.ring, ELLIPTIC, at + GRACE) == [left]
    assert history.settle(at + GRACE, ELLIPTIC) == (KeyDiscarded(at=at + GRACE, ordinal=3, algorithm=Algorithm.EDDSA),)
    assert history.ring.leftovers == ()


def test_while_the_store_is_away_it_stays_due() -> None:
    history, at = with_its_policy(), NOW + 86_400_000
    history.carry_out(commands.change_policy(history.ring, ELLIPTIC, at))
    history.settle(at, ELLIPTIC)
    later = at + GRACE
    assert history.carry_out(commands.scheduled(history.ring, ELLIPTIC, later), away=True) == ()
    assert next_due(history.ring, ELLIPTIC, later) == later


def test_names_that_were_passed_over_are_left() -> None:
    """An older version could log the second key of two whose first the store had made without an answer."""
    history = History()
    history.append([KeyPrepared(at=NOW, kid=jwk(3).kid, ordinal=3, algorithm=Algorithm.EDDSA, jwk=jwk(3))])
    assert history.ring.leftovers == (Leftover(1, Algorithm.EDDSA, NOW), Leftover(2, Algorithm.EDDSA, NOW))
