"""The ring is a fold of its events, now and at any past time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyvault import commands, events
from keyvault.algorithms import Algorithm
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.errors import BrokenHistory, UnknownKid
from keyvault.events import KeyActivated, KeyCompromised, KeyDeactivated, KeyDestroyed, KeyEvent, KeyPrepared, PolicyChanged
from keyvault.jwks import Jwks
from keyvault.key import KeyState
from keyvault.policy import Policy
from keyvault.ring import Ring
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, kids, settled, with_policy


def prepared(ordinal: int, at: int = NOW) -> KeyPrepared:
    return KeyPrepared(at=at, kid=jwk(ordinal).kid, ordinal=ordinal, algorithm=Algorithm.EDDSA, jwk=jwk(ordinal))


def activated(ordinal: int, at: int = NOW) -> KeyActivated:
    return KeyActivated(at=at, kid=jwk(ordinal).kid, token_lifetime=HOUR)


def test_an_empty_ring_has_nothing() -> None:
    ring = Ring.empty()
    assert (ring.active, ring.standby, ring.next_ordinal, ring.published(NOW)) == (None, None, 1, ())
    assert ring.jwks(NOW) == Jwks.of([])
    assert ring.policy == Policy()
    with pytest.raises(UnknownKid, match="'x'"):
        ring.find("x")


def test_a_key_goes_through_the_states_of_nist_sp_800_57() -> None:
    ring = Ring.fold([prepared(1)])
    assert ring.find(jwk(1).kid).state == "pre-activation"
    ring = ring.apply(activated(1, NOW + 1))
    assert ring.find(jwk(1).kid).state == "active"
    ring = ring.apply(KeyDeactivated(at=NOW + 2, kid=jwk(1).kid, publish_until=NOW + 10))
    assert ring.find(jwk(1).kid).state == "deactivated"
    ring = ring.apply(KeyDestroyed(at=NOW + 10, kid=jwk(1).kid))
    key = ring.find(jwk(1).kid)
    assert key.state == "destroyed"
    assert (key.published_at, key.activated_at, key.deactivated_at, key.publish_until, key.destroyed_at) == (
        NOW,
        NOW + 1,
        NOW + 2,
        NOW + 10,
        NOW + 10,
    )


def test_a_deactivated_key_is_published_until_its_time_without_any_event() -> None:
    history = settled()
    at = NOW + 90 * DAY
    history.settle(at)
    assert kids(history.ring, at) == [2, 3, 1]
    assert history.ring.next_change(at) == at + KEPT
    assert kids(history.ring, at + KEPT - 1) == [2, 3, 1]
    assert kids(history.ring, at + KEPT) == [2, 3]
    assert history.ring.next_change(at + KEPT) is None


def test_the_active_key_comes_first() -> None:
    history = settled()
    assert kids(history.ring, NOW) == [1, 2]
    assert history.ring.jwks(NOW).keys == (jwk(1), jwk(2))


def test_a_compromised_key_is_in_no_present_jwks_but_in_the_past_one() -> None:
    history = settled()
    bad = jwk(1).kid
    later = NOW + DAY
    history.carry_out(commands.compromise(history.ring, POLICY, later, bad, reason="leaked"))
    assert history.ring.jwks(later).find(bad) is None
    assert history.ring.find(bad).compromise_reason == "leaked"
    before = Ring.at(history.events, later - 1)
    assert before.jwks(later - 1).find(bad) == jwk(1)
    assert kids(before, later - 1) == [1, 2]


def test_the_past_is_what_was_published_then() -> None:
    history = settled()
    moments = [NOW, NOW + 90 * DAY, NOW + 90 * DAY + KEPT, NOW + 180 * DAY]
    shown = []
    for moment in moments:
        history.settle(moment)
        shown.append(history.ring.jwks(moment))
    assert [Ring.at(history.events, moment).jwks(moment) for moment in moments] == shown
    assert Ring.at(history.events, NOW - 1) == Ring.empty()


def test_the_longest_lifetime_allowed_while_active_counts() -> None:
    history = settled()
    longer, shorter = with_policy(max_token_lifetime=10 * HOUR), with_policy(max_token_lifetime=1 * MINUTE)
    for policy in (longer, shorter):
        history.carry_out(commands.change_policy(history.ring, policy, NOW + DAY))
    history.settle(at := NOW + 90 * DAY, shorter)
    first, second = history.ring.keys[:2]
    assert first.publish_until == at + 10 * HOUR + 2 * 5 * MINUTE
    assert second.token_lifetime == 1 * MINUTE


def test_a_policy_change_is_folded() -> None:
    policy = with_policy(max_published_keys=7)
    assert Ring.fold([PolicyChanged(at=NOW, policy=policy)]).policy == policy


def test_folding_decoded_events_gives_the_same_ring() -> None:
    history = settled()
    for day in range(0, 400, 10):
        history.settle(NOW + day * DAY)
    assert Ring.fold(events.decode(events.encode(event)) for event in history.events) == history.ring
    assert sum(key.state is KeyState.DESTROYED for key in history.ring.keys) >= 3


BAD = jwk(9).kid


@pytest.mark.parametrize(
    "impossible",
    [
        [prepared(1), prepared(1)],
        [prepared(2), activated(2), prepared(1)],
        [prepared(1), prepared(2)],
        [activated(1)],
        [prepared(1), activated(1), activated(1)],
        [prepared(1), activated(1), prepared(2), activated(2)],
        [prepared(1), KeyDestroyed(at=NOW, kid=jwk(1).kid)],
        [prepared(1), activated(1), KeyDestroyed(at=NOW, kid=jwk(1).kid)],
        [KeyDeactivated(at=NOW, kid=BAD, publish_until=NOW)],
        [KeyCompromised(at=NOW, kid=BAD, reason="r")],
        [prepared(1), KeyCompromised(at=NOW, kid=jwk(1).kid, reason="r"), activated(1)],
        [prepared(1), KeyCompromised(at=NOW, kid=jwk(1).kid, reason="r"), KeyCompromised(at=NOW, kid=jwk(1).kid, reason="r")],
    ],
)
def test_an_impossible_event_is_refused(impossible: list[KeyEvent]) -> None:
    history = History()
    history.append(impossible[:-1])
    with pytest.raises(BrokenHistory):
        history.ring.apply(impossible[-1])


def test_a_ring_is_a_value() -> None:
    ring = settled().ring
    assert replace(ring) == ring
    assert hash(ring.keys[0]) == hash(replace(ring.keys[0]))
