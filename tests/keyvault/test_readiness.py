"""Rotations wait for relying parties that may not have the next key, and only as long as the policy says."""

from __future__ import annotations

import pytest

from keyvault import commands
from keyvault.caching import LIBRARIES
from keyvault.due import Activate, due, next_due
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.errors import NotYetDue
from keyvault.events import JwksFetched, KeyActivated, RelyingPartyRegistered, RelyingPartyRemoved
from keyvault.plan import Outcome
from keyvault.policy import Policy
from keyvault.readiness import late, readiness, ready_at, safe_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from tests.keyvault.made import NOW, POLICY, History, jwk, settled, with_policy

SHARED = 10 * MINUTE  # jwks_max_age and clock_skew of POLICY
TURN = NOW + 90 * DAY


def party(name: str = "shop", library: str | None = None, cached_for: int | None = None) -> RelyingParty:
    return RelyingParty(id=name, name=name.title(), contact=f"{name}@example.com", library=library, cached_for=cached_for, own_url=True)


def with_parties(*parties: RelyingParty, policy: Policy = POLICY) -> History:
    history = settled(policy=policy)
    history.append(RelyingPartyRegistered(at=NOW, relying_party=one) for one in parties)
    return history


def safe(ring: Ring, policy: Policy = POLICY) -> int:
    assert ring.standby is not None
    return safe_at(ring, policy, ring.standby) - NOW


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_known_library_keeps_a_rotation_waiting(library: str) -> None:
    assert safe(with_parties(party(library=library)).ring) == 25 * HOUR


def test_who_says_nothing_is_taken_to_be_like_everybody() -> None:
    history = with_parties(party())
    assert safe(history.ring) == 25 * HOUR
    assert history.ring.standby is not None
    [stands] = readiness(history.ring, POLICY, history.ring.standby)
    assert stands.sure_at == NOW + 25 * HOUR


def test_a_longer_cache_is_waited_for() -> None:
    history = with_parties(party(cached_for=2 * DAY), party("mail", library="jose"))
    assert safe(history.ring) == 2 * DAY + SHARED
    standby = history.ring.standby
    assert standby is not None
    assert [one.relying_party.id for one in late(history.ring, POLICY, standby, NOW + DAY)] == ["shop"]
    assert late(history.ring, POLICY, standby, NOW + 2 * DAY + SHARED) == ()


def test_nobody_is_waited_for_longer_than_the_policy_says() -> None:
    for_ever = party(cached_for=365 * DAY)
    assert safe(with_parties(for_ever).ring) == 25 * HOUR + 7 * DAY
    policy = with_policy(readiness_limit=0)
    assert safe(with_parties(for_ever, policy=policy).ring, policy) == 25 * HOUR


def test_the_schedule_waits_and_wakes_when_it_is_safe() -> None:
    policy = with_policy(rotation_period=26 * HOUR)
    history = with_parties(party(cached_for=2 * DAY), policy=policy)
    when = NOW + 2 * DAY + SHARED
    assert next_due(history.ring, policy, NOW) == when
    assert due(history.ring, policy, when - 1) == []
    assert due(history.ring, policy, when)[0] == Activate(jwk(2).kid)


def test_a_party_that_is_removed_is_waited_for_no_longer() -> None:
    history = with_parties(party(cached_for=2 * DAY))
    history.append([RelyingPartyRemoved(at=NOW + 1, id="shop")])
    assert history.ring.relying_parties == ()
    assert safe(history.ring) == 25 * HOUR


def test_one_that_is_registered_again_is_changed() -> None:
    history = with_parties(party(cached_for=2 * DAY), party(library="jose"))
    assert history.ring.relying_parties == (party(library="jose"),)


def test_rotating_before_it_is_safe_waits_or_takes_a_reason_and_names_whom_it_breaks() -> None:
    history = with_parties(party(cached_for=2 * DAY), party("mail", library="jose"))
    now = NOW + 26 * HOUR
    assert commands.rotate(history.ring, POLICY, now).outcome is Outcome.WAITING
    with pytest.raises(NotYetDue):
        commands.activate(history.ring, POLICY, now, jwk(2).kid)
    plan = commands.rotate(history.ring, POLICY, now, activate=True, reason="the old one is on a USB stick")
    assert plan.warning is not None
    assert plan.warning.endswith("Of those that are registered: Shop (shop@example.com).")
    assert "Mail" not in plan.warning
    [_, activated] = [event for event in history.carry_out(plan) if event.at == now]
    assert isinstance(activated, KeyActivated)
    assert activated.forced is not None


def test_a_key_that_nobody_could_fetch_yet_breaks_those_that_do_not_fetch_by_themselves() -> None:
    history = History()
    history.settle(NOW)
    history.append(RelyingPartyRegistered(at=NOW, relying_party=one) for one in (party(library="istio"), party("mail", library="jose")))
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(2).kid, reason="leaked"), away=True)
    plan = commands.rotate(history.ring, POLICY, NOW, activate=True, reason="now")
    assert plan.warning is not None
    assert " Of those that are registered: Shop (shop@example.com). These fetch it " in plan.warning
    assert plan.warning.endswith("keeps the JWKS without it: Mail (mail@example.com).")


def test_an_emergency_waits_for_nobody() -> None:
    history = with_parties(party(cached_for=2 * DAY))
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason="leaked"))
    history.settle(NOW)
    standby = history.ring.standby
    assert standby is not None
    assert standby.emergency
    assert safe_at(history.ring, POLICY, standby) == ready_at(history.ring, POLICY, standby) == NOW + SHARED


def test_a_fetch_is_known_of_the_standby_only() -> None:
    history = with_parties(party())
    history.append([JwksFetched(at=NOW + 5, relying_party="shop", kid=jwk(2).kid)])
    standby = history.ring.standby
    assert standby is not None
    [stands] = readiness(history.ring, POLICY, standby)
    assert stands.fetched_at == NOW + 5
    history.settle(TURN)
    standby = history.ring.standby
    assert standby is not None
    [stands] = readiness(history.ring, POLICY, standby)
    assert stands.fetched_at is None
