"""Keys that were made elsewhere, in a ring: published until their tokens have expired, or signing here once everybody has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keyvault import commands, events, import_commands
from keyvault.algorithms import Algorithm
from keyvault.due import Destroy, Prepare, due, next_due
from keyvault.durations import DAY, HOUR
from keyvault.errors import BrokenHistory, InvalidImport, ReasonMissing, TooManyPublishedKeys, WrongState
from keyvault.events import KeyActivated, KeyAdopted, KeyDeactivated, KeyImported
from keyvault.import_commands import INTERRUPTED, LONGEST_PUBLISHED, MOST_IMPORTED, adopt, publish
from keyvault.jwk import PublicJwk
from keyvault.key import KeyState
from keyvault.plan import Outcome
from keyvault.policy import Guard
from keyvault.readiness import safe_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, private, settled, with_policy

WHY = "the old IDP is switched off tonight"
UNTIL = NOW + 2 * DAY


def foreign(number: int = 1, algorithm: Algorithm = Algorithm.EDDSA) -> PublicJwk:
    """A key of another IDP, which names it its own way."""
    return PublicJwk.from_public_key(private(500 + number, algorithm).public_key(), algorithm, f"idp-{number}")


def imported(*numbers: int, until: int = UNTIL, private: bool = False) -> History:
    """A settled ring with these keys of another IDP."""
    history = settled()
    history.carry_out(publish(history.ring, POLICY, NOW, [foreign(one) for one in numbers], until, private=private))
    return history


def state(ring: Ring, kid: str) -> KeyState:
    return ring.find(kid).state


def test_an_imported_key_is_published_and_does_not_sign() -> None:
    ring = imported(1, 2).ring
    assert [key.kid for key in ring.jwks(NOW).keys] == [jwk(1).kid, jwk(2).kid, "idp-2", "idp-1"]
    assert state(ring, "idp-1") is KeyState.DEACTIVATED
    assert ring.active is not None
    assert ring.active.jwk == jwk(1)
    assert ring.jwks(UNTIL - 1).find("idp-1") == foreign(1)
    assert ring.jwks(UNTIL).find("idp-1") is None
    assert ring.next_change(NOW) == UNTIL


def test_it_takes_no_ordinal_so_that_an_older_node_counts_as_a_newer_one() -> None:
    before, after = settled().ring, imported(1).ring
    assert after.next_ordinal == before.next_ordinal == 3
    assert (
        Ring.empty().apply(KeyImported(at=NOW, kid="idp-1", algorithm=Algorithm.EDDSA, jwk=foreign(), publish_until=UNTIL)).next_ordinal
        == 1
    )


def test_nothing_is_due_when_it_leaves_as_the_store_never_had_it() -> None:
    history = imported(1)
    assert due(history.ring, POLICY, UNTIL) == []
    history.carry_out(commands.scheduled(history.ring, POLICY, UNTIL))
    assert state(history.ring, "idp-1") is KeyState.DEACTIVATED
    with pytest.raises(WrongState, match="the key store never had it"):
        commands.destroy(history.ring, POLICY, UNTIL, "idp-1")


def test_a_standby_that_waits_for_room_is_due_when_it_leaves() -> None:
    history = settled()
    history.carry_out(commands.rotate(history.ring, POLICY, NOW, activate=True, reason=WHY))  # no standby now
    policy = with_policy(max_published_keys=3, max_token_lifetime=4 * DAY)
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    history.carry_out(publish(history.ring, policy, NOW, [foreign()], NOW + 30 * 60_000))
    assert history.ring.standby is None
    assert next_due(history.ring, policy, NOW) == NOW + 30 * 60_000
    [prepare] = due(history.ring, policy, NOW + 30 * 60_000)
    assert isinstance(prepare, Prepare)


def test_importing_it_again_changes_nothing_or_puts_its_end_off() -> None:
    history = imported(1)
    assert publish(history.ring, POLICY, NOW, [foreign()], UNTIL).outcome is Outcome.UNCHANGED
    assert publish(history.ring, POLICY, NOW, [foreign()], UNTIL - HOUR).outcome is Outcome.UNCHANGED
    history.carry_out(publish(history.ring, POLICY, NOW, [foreign()], UNTIL + HOUR))
    assert history.ring.find("idp-1").publish_until == UNTIL + HOUR


def test_it_can_come_back_after_it_has_left() -> None:
    history = imported(1)
    history.carry_out(publish(history.ring, POLICY, UNTIL + HOUR, [foreign()], UNTIL + DAY))
    assert history.ring.jwks(UNTIL + HOUR).find("idp-1") == foreign()


@pytest.mark.parametrize("until", [NOW, NOW - 1, NOW + LONGEST_PUBLISHED + 1])
def test_its_end_must_be_within_a_year(until: int) -> None:
    with pytest.raises(InvalidImport, match="publish_until must be a time within the next P366D"):
        publish(settled().ring, POLICY, NOW, [foreign()], until)


def test_a_kid_that_another_key_has_is_refused_and_nothing_is_imported() -> None:
    other = replace_kid(foreign(2), "idp-1")
    for ring, keys in ((imported(1).ring, [foreign(3), other]), (settled().ring, [replace_kid(foreign(), jwk(1).kid)])):
        with pytest.raises(WrongState, match="another key of this ring has that kid"):
            publish(ring, POLICY, NOW, keys, UNTIL)


def test_a_key_that_is_there_under_another_kid_is_refused() -> None:
    with pytest.raises(WrongState, match="in this ring already, under the kid 'idp-1'"):
        publish(imported(1).ring, POLICY, NOW, [replace_kid(foreign(), "other")], UNTIL)


def test_one_key_under_two_kids_is_refused_with_the_whole_document() -> None:
    """Else compromising the one would leave the other published."""
    with pytest.raises(InvalidImport, match="'idp-1' and 'other' are the same key"):
        publish(settled().ring, POLICY, NOW, [foreign(2), foreign(1), replace_kid(foreign(1), "other")], UNTIL)


def test_a_key_made_here_is_there_already() -> None:
    assert publish(settled().ring, POLICY, NOW, [jwk(1)], UNTIL).outcome is Outcome.UNCHANGED


def test_a_ring_has_so_many_imported_keys_in_all_its_life() -> None:
    """Whoever imports a few every second, which are gone when the next come, does not make every node's start longer and longer."""
    history, now = settled(), NOW
    while (had := sum(key.imported for key in history.ring.keys)) < MOST_IMPORTED:
        history.carry_out(publish(history.ring, POLICY, now, [foreign(had), foreign(had + 1)], now + 1000))
        now += 1000
    with pytest.raises(InvalidImport, match=f"has {MOST_IMPORTED} imported keys, 1 more are asked for"):
        publish(history.ring, POLICY, now, [foreign(7), foreign(had)], now + DAY)
    assert publish(history.ring, POLICY, now, [foreign(7)], now + DAY).outcome is Outcome.IMPORTED, "it is one of them"


def test_imported_keys_count_among_the_published() -> None:
    ring = imported(1, 2).ring
    publish(ring, POLICY, NOW, [foreign(1), foreign(3)], UNTIL + 1)
    with pytest.raises(TooManyPublishedKeys, match="4 keys are published, 2 more are asked for, and max_published_keys is 5") as refused:
        publish(ring, POLICY, NOW, [foreign(3), foreign(4)], UNTIL)
    assert refused.value.until == UNTIL


def test_a_compromised_key_leaves_and_stays_away() -> None:
    history = imported(1)
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, "idp-1", reason=WHY))
    assert history.ring.jwks(NOW).find("idp-1") is None
    assert [key.state for key in history.ring.keys] == [KeyState.COMPROMISED, KeyState.ACTIVE, KeyState.PRE_ACTIVATION]
    with pytest.raises(WrongState, match="can't be imported"):
        publish(history.ring, POLICY, NOW, [foreign()], UNTIL)
    with pytest.raises(WrongState):
        publish(history.ring, POLICY, NOW, [replace_kid(foreign(), "washed")], UNTIL)


def test_the_past_jwks_has_it_from_its_import_on() -> None:
    history = settled()
    history.carry_out(publish(history.ring, POLICY, NOW + HOUR, [foreign()], UNTIL))
    assert Ring.at(history.events, NOW + HOUR - 1).jwks(NOW + HOUR - 1).find("idp-1") is None
    assert Ring.at(history.events, NOW + HOUR).jwks(NOW + HOUR).find("idp-1") == foreign()


def test_a_private_key_that_relying_parties_know_signs_at_once() -> None:
    history = imported(1, private=True)
    plan = adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR)
    assert (plan.outcome, plan.warning) == (Outcome.ACTIVATED, None)
    adopted, deactivated, activated = history.carry_out(plan)
    assert isinstance(adopted, KeyAdopted)
    assert isinstance(deactivated, KeyDeactivated)
    assert (deactivated.kid, deactivated.publish_until) == (jwk(1).kid, NOW + KEPT)
    assert isinstance(activated, KeyActivated)
    assert (activated.kid, activated.forced) == ("idp-1", None)
    assert history.ring.standby is not None, "the standby stays, as relying parties know it"
    assert history.ring.standby.jwk == jwk(2)
    assert due(history.ring, POLICY, NOW) == []
    assert next_due(history.ring, POLICY, NOW) == NOW + KEPT


def test_a_private_key_whose_public_half_has_been_published_here_for_long_signs_at_once() -> None:
    history = imported(1)
    later = NOW + 25 * HOUR
    history.carry_out(publish(history.ring, POLICY, later, [foreign()], later + INTERRUPTED, private=True))
    history.carry_out(adopt(history.ring, POLICY, later, "idp-1"))
    assert history.ring.active is not None
    assert history.ring.active.kid == "idp-1"


def test_a_key_that_had_left_and_comes_back_waits_as_if_nobody_had_seen_it() -> None:
    history, later = imported(1, until=NOW + HOUR), NOW + 30 * DAY
    history.carry_out(publish(history.ring, POLICY, later, [foreign()], later + INTERRUPTED, private=True))
    plan = adopt(history.ring, POLICY, later, "idp-1")
    assert plan.outcome is Outcome.WAITING
    history.carry_out(plan)
    assert safe_at(history.ring, POLICY, history.ring.find("idp-1")) == later + POLICY.publish_ahead


def test_a_key_that_is_published_for_longer_has_been_published_all_along() -> None:
    history = imported(1)
    history.carry_out(publish(history.ring, POLICY, NOW + DAY, [foreign()], UNTIL + DAY))
    assert history.ring.find("idp-1").published_at == NOW


def test_a_private_key_that_nobody_has_seen_waits_as_the_standby_and_takes_over_by_itself() -> None:
    history = imported(1, private=True)
    plan = adopt(history.ring, POLICY, NOW, "idp-1")
    assert plan.outcome is Outcome.WAITING
    history.carry_out(plan)
    ring = history.ring
    assert ring.standby is not None
    assert (ring.standby.kid, state(ring, jwk(2).kid)) == ("idp-1", KeyState.DEACTIVATED)
    assert due(ring, POLICY, NOW) == [Destroy(jwk(2).kid)]
    assert due(ring, POLICY, NOW + 25 * HOUR - 1) == [Destroy(jwk(2).kid)]
    history.settle(NOW + 25 * HOUR)
    assert history.ring.active is not None
    assert history.ring.active.kid == "idp-1", "it does not wait for rotation_period"


def test_what_is_learnt_later_makes_it_sign() -> None:
    history = imported(1, private=True)
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1"))
    assert adopt(history.ring, POLICY, NOW, "idp-1").outcome is Outcome.WAITING
    assert not adopt(history.ring, POLICY, NOW, "idp-1").actions
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 30 * DAY))
    assert state(history.ring, "idp-1") is KeyState.ACTIVE


def test_a_relying_party_that_is_registered_is_waited_for_whatever_is_known_elsewhere() -> None:
    history = imported(1, private=True)
    slow = RelyingParty(id="shop", name="Shop", library="dotnet")
    history.append([events.RelyingPartyRegistered(at=NOW, relying_party=slow)])
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 365 * DAY))
    assert state(history.ring, "idp-1") is KeyState.PRE_ACTIVATION
    assert NOW < safe_at(history.ring, POLICY, history.ring.find("idp-1")) < NOW + DAY


def test_it_can_be_forced_with_a_reason() -> None:
    history = imported(1, private=True)
    with pytest.raises(ReasonMissing):
        adopt(history.ring, POLICY, NOW, "idp-1", activate=True)
    plan = adopt(history.ring, POLICY, NOW, "idp-1", activate=True, reason=WHY)
    assert plan.warning is not None
    history.carry_out(plan)
    assert history.ring.find("idp-1").forced == WHY


@pytest.mark.parametrize("away", [False, True])
def test_it_does_not_push_away_the_key_that_takes_over_after_a_compromise(away: bool) -> None:
    history = imported(1, private=True)
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY), away=away)
    with pytest.raises(WrongState, match="repeat this when it does"):
        adopt(history.ring, POLICY, NOW, "idp-1")
    assert adopt(history.ring, POLICY, NOW, "idp-1", activate=True, reason=WHY).outcome is Outcome.ACTIVATED
    history.settle(NOW)
    later = safe_at(history.ring, POLICY, history.ring.standby) if history.ring.standby is not None else NOW
    history.settle(later)
    assert adopt(history.ring, POLICY, later, "idp-1").outcome is Outcome.WAITING


def test_once_it_signs_it_is_a_key_like_the_others() -> None:
    history = imported(1, private=True)
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR))
    assert adopt(history.ring, POLICY, NOW, "idp-1").outcome is Outcome.UNCHANGED
    turn = NOW + 90 * DAY
    history.settle(turn)
    assert state(history.ring, "idp-1") is KeyState.DEACTIVATED
    history.settle(turn + KEPT)
    assert state(history.ring, "idp-1") is KeyState.DESTROYED
    with pytest.raises(WrongState, match="can't be imported"):
        publish(history.ring, POLICY, turn + KEPT, [foreign()], turn + DAY)


def test_a_key_that_has_signed_here_does_not_come_back() -> None:
    history = imported(1, private=True)
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR))
    history.carry_out(commands.rotate(history.ring, POLICY, NOW, activate=True, reason=WHY))
    with pytest.raises(WrongState, match="does not come back"):
        adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR)


def test_an_import_that_was_interrupted_leaves_nothing() -> None:
    history = imported(1, until=NOW + INTERRUPTED, private=True)  # the key store may have it
    assert due(history.ring, POLICY, NOW + INTERRUPTED - 1) == []
    assert due(history.ring, POLICY, NOW + INTERRUPTED) == [Destroy("idp-1")]


def test_an_active_imported_key_that_is_compromised_has_its_successor_at_once() -> None:
    history = imported(1, private=True)
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR))
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, "idp-1", reason=WHY))
    assert history.ring.active is not None
    assert history.ring.active.jwk == jwk(2)
    assert history.ring.jwks(NOW).find("idp-1") is None
    history.carry_out(commands.destroy(history.ring, POLICY, NOW, "idp-1"))
    assert state(history.ring, "idp-1") is KeyState.DESTROYED


def test_a_key_that_the_policy_would_replace_at_once_is_refused() -> None:
    history = settled()
    key = foreign(1, Algorithm.ES256)
    history.carry_out(publish(history.ring, POLICY, NOW, [key], UNTIL))  # published, it does no harm
    with pytest.raises(InvalidImport, match="set algorithm ES256 in the policy first"):
        adopt(history.ring, POLICY, NOW, "idp-1")


def test_what_is_known_in_the_future_is_known_by_nobody() -> None:
    with pytest.raises(InvalidImport, match="must be past"):
        adopt(imported(1).ring, POLICY, NOW, "idp-1", known_since=NOW + 1)


@pytest.mark.parametrize("asked", [{"activate": True, "reason": WHY}, {"known_since": NOW - 30 * DAY}])
def test_nobody_gets_round_a_second_person_by_an_import(asked: dict[str, Any]) -> None:
    ring, policy = imported(1, private=True).ring, with_policy(dual_control=(Guard.FORCE,))
    with pytest.raises(InvalidImport, match="a second person approves"):
        adopt(ring, policy, NOW, "idp-1", **asked)
    assert adopt(ring, policy, NOW, "idp-1").outcome is Outcome.WAITING


def test_a_key_made_here_is_not_adopted() -> None:
    with pytest.raises(WrongState, match="it was made here"):
        adopt(settled().ring, POLICY, NOW, jwk(2).kid)


@pytest.mark.parametrize(
    "event",
    [
        KeyImported(at=NOW, kid=jwk(1).kid, algorithm=Algorithm.EDDSA, jwk=jwk(1), publish_until=UNTIL),
        KeyImported(at=NOW, kid="idp-1", algorithm=Algorithm.EDDSA, jwk=jwk(9), publish_until=UNTIL),
        KeyAdopted(at=NOW, kid=jwk(2).kid),
        KeyAdopted(at=NOW, kid="nobody"),
    ],
)
def test_a_history_that_can_not_be(event: events.KeyEvent) -> None:
    with pytest.raises(BrokenHistory):
        imported(1).ring.apply(event)


def test_a_ring_with_imports_is_folded_from_its_json() -> None:
    history = imported(1, 2, private=True)
    history.carry_out(adopt(history.ring, POLICY, NOW, "idp-1", known_since=NOW - 26 * HOUR))
    assert Ring.fold(events.decode(json.loads(json.dumps(events.encode(event)))) for event in history.events) == history.ring
    assert import_commands.publish(history.ring, POLICY, NOW, [foreign(1)], UNTIL, private=True).outcome is Outcome.UNCHANGED


def replace_kid(key: PublicJwk, kid: str) -> PublicJwk:
    return PublicJwk.from_dict({**key.to_dict(), "kid": kid})
