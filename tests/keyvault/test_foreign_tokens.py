"""The tokens that were signed elsewhere with a key that was adopted here verify until its import said, however soon its turn here ends."""

from __future__ import annotations

import pytest

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.blast_radius import blast_radius
from keyvault.due import Destroy, due, next_due
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.errors import NotYetDue
from keyvault.import_commands import INTERRUPTED, adopt, publish
from keyvault.jwk import PublicJwk
from keyvault.key import KeyState
from keyvault.plan import Outcome
from keyvault.policy import Policy
from tests.keyvault.made import KEPT, NOW, POLICY, History, private, settled, with_policy

UNTIL = NOW + 7 * DAY
OLD, OTHER = (PublicJwk.from_public_key(private(number).public_key(), Algorithm.EDDSA, f"idp-{number}") for number in (601, 602))


def moved_in(*, signs: bool, until: int | None = UNTIL) -> History:
    """The old IDP's key, adopted; its tokens verify until then, if anybody said that there are any."""
    history = settled()
    if until is not None:
        history.carry_out(publish(history.ring, POLICY, NOW, [OLD], until))
    take_in(history, OLD, known_since=NOW - 30 * DAY if signs else None)
    assert history.ring.find(OLD.kid).state is (KeyState.ACTIVE if signs else KeyState.PRE_ACTIVATION)
    return history


def take_in(history: History, key: PublicJwk, *, known_since: int | None = None) -> None:
    history.carry_out(publish(history.ring, POLICY, NOW, [key], NOW + INTERRUPTED, private=True))
    history.carry_out(adopt(history.ring, POLICY, NOW, key.kid, known_since=known_since))


def verifies_until(history: History, until: int, policy: Policy = POLICY) -> None:
    """The key is published until then, not longer, and not destroyed before."""
    history.settle(NOW + HOUR, policy)
    assert history.ring.jwks(until - 1).find(OLD.kid) == OLD
    assert Destroy(OLD.kid) not in due(history.ring, policy, until - 1)
    with pytest.raises(NotYetDue, match="its last token expires by"):
        commands.destroy(history.ring, POLICY, until - 1, OLD.kid)
    assert history.ring.jwks(until).find(OLD.kid) is None
    assert Destroy(OLD.kid) in due(history.ring, policy, until)


def test_as_the_standby_that_another_import_replaces() -> None:
    history = moved_in(signs=False)
    take_in(history, OTHER)
    assert history.ring.find(OLD.kid).state is KeyState.DEACTIVATED
    verifies_until(history, UNTIL)


def test_as_the_standby_of_an_algorithm_that_the_policy_has_no_more() -> None:
    history = moved_in(signs=False)
    policy = with_policy(algorithm=Algorithm.ES256)
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    history.settle(NOW, policy)
    assert history.ring.standby is not None
    assert history.ring.standby.algorithm is Algorithm.ES256
    verifies_until(history, UNTIL, policy)


def test_its_successor_of_another_algorithm_waits_for_room() -> None:
    history = moved_in(signs=False)
    history.carry_out(publish(history.ring, POLICY, NOW, [OTHER], NOW + DAY))
    policy = with_policy(algorithm=Algorithm.ES256, max_published_keys=3)
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    history.settle(NOW, policy)  # the standby that was replaced when it came
    assert due(history.ring, policy, NOW) == []
    assert next_due(history.ring, policy, NOW) == NOW + DAY
    history.settle(NOW + DAY, policy)
    assert history.ring.standby is not None
    assert history.ring.standby.algorithm is Algorithm.ES256
    assert len(history.ring.published(NOW + DAY)) == 3


def test_it_waits_no_longer_than_for_its_tokens() -> None:
    history = moved_in(signs=False)
    history.carry_out(publish(history.ring, POLICY, NOW, [OTHER], UNTIL + DAY))
    policy = with_policy(algorithm=Algorithm.ES256, max_published_keys=3)
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    history.settle(NOW, policy)
    assert next_due(history.ring, policy, NOW) == UNTIL


def test_as_a_key_that_has_signed_here_for_two_hours() -> None:
    history = moved_in(signs=True)
    history.carry_out(commands.rotate(history.ring, POLICY, NOW + 2 * HOUR, activate=True, reason="it was elsewhere"))
    verifies_until(history, UNTIL)


def test_its_tokens_from_here_may_be_the_last() -> None:
    history = moved_in(signs=True, until=NOW + HOUR)
    history.carry_out(commands.rotate(history.ring, POLICY, NOW + HOUR, activate=True, reason="it was elsewhere"))
    verifies_until(history, NOW + HOUR + KEPT)


def test_a_standby_without_any_leaves_at_once() -> None:
    history = moved_in(signs=False, until=None)
    take_in(history, OTHER)
    assert history.ring.jwks(NOW).find(OLD.kid) is None


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("before", [None, UNTIL])
def test_importing_it_again_puts_its_end_off_though_it_was_adopted(signs: bool, before: int | None) -> None:
    history = moved_in(signs=signs, until=before)
    later = publish(history.ring, POLICY, NOW, [OLD], UNTIL + DAY)
    assert later.outcome is Outcome.IMPORTED
    was = history.ring.find(OLD.kid)
    history.carry_out(later)
    assert (history.ring.find(OLD.kid).state, history.ring.find(OLD.kid).publish_until) == (was.state, None)
    assert publish(history.ring, POLICY, NOW, [OLD], UNTIL + DAY).outcome is Outcome.UNCHANGED
    if signs:
        history.carry_out(commands.rotate(history.ring, POLICY, NOW + MINUTE, activate=True, reason="it was elsewhere"))
    else:
        take_in(history, OTHER)
    verifies_until(history, UNTIL + DAY)


def test_it_can_be_said_after_an_interrupted_import_of_the_private_key_too() -> None:
    history = settled()
    history.carry_out(publish(history.ring, POLICY, NOW, [OLD], NOW + INTERRUPTED, private=True))
    history.carry_out(publish(history.ring, POLICY, NOW, [OLD], NOW + 2 * DAY))
    take_in(history, OLD)
    take_in(history, OTHER)
    verifies_until(history, NOW + 2 * DAY)


def test_the_blast_radius_tells_when_what_was_signed_here_has_expired() -> None:
    history = moved_in(signs=True)
    assert blast_radius(history.ring, OLD.kid, None, NOW + HOUR).latest_expiry == NOW + HOUR + KEPT
    history.carry_out(commands.rotate(history.ring, POLICY, NOW + 2 * HOUR, activate=True, reason="it was elsewhere"))
    found = blast_radius(history.ring, OLD.kid, None, NOW + 3 * HOUR)
    assert (found.left_at, found.latest_expiry) == (NOW + 3 * HOUR, NOW + 2 * HOUR + KEPT)
    assert blast_radius(history.ring, OLD.kid, None, UNTIL + DAY).left_at == UNTIL
