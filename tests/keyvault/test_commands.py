"""What people ask of a key ring, and what they are told."""

from __future__ import annotations

import pytest

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.due import due
from keyvault.durations import DAY, HOUR
from keyvault.errors import InvalidPolicy, NotYetDue, ReasonMissing, TooManyPublishedKeys, UnknownKid, WrongState
from keyvault.key import KeyState
from keyvault.plan import Outcome
from keyvault.policy import Policy
from keyvault.ring import Ring
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, kids, settled, with_policy

READY = NOW + 25 * HOUR
WHY = "a laptop was stolen"


def without_standby(at: int = NOW) -> History:
    history = settled(at)
    history.carry_out(commands.compromise(history.ring, POLICY, at, jwk(2).kid, reason=WHY), away=True)
    return history


class TestRotate:
    def test_a_standby_that_is_not_ready_waits(self) -> None:
        history = settled()
        plan = commands.rotate(history.ring, POLICY, READY - 1)
        assert (plan.outcome, plan.kid, plan.actions) == (Outcome.WAITING, jwk(2).kid, ())

    def test_a_standby_that_is_ready_signs_and_the_old_key_stays_published(self) -> None:
        history = settled()
        plan = commands.rotate(history.ring, POLICY, READY)
        history.carry_out(plan)
        assert (plan.outcome, plan.kid, plan.warning) == (Outcome.ACTIVATED, jwk(2).kid, None)
        assert kids(history.ring, READY) == [2, 1]
        assert kids(history.ring, READY + KEPT) == [2]

    def test_without_a_standby_one_is_created(self) -> None:
        history = without_standby()
        plan = commands.rotate(history.ring, POLICY, NOW)
        history.carry_out(plan)
        assert plan.outcome is Outcome.CREATED
        assert kids(history.ring, NOW) == [1, 3]

    def test_a_new_ring_gets_both_keys(self) -> None:
        history = History()
        plan = commands.rotate(history.ring, POLICY, NOW)
        history.carry_out(plan)
        assert (plan.outcome, kids(history.ring, NOW)) == (Outcome.CREATED, [1, 2])

    def test_forcing_says_whom_it_may_break(self) -> None:
        history = settled()
        plan = commands.rotate(history.ring, POLICY, NOW + 2 * HOUR, activate=True, reason=WHY)
        history.carry_out(plan)
        assert plan.warning is not None
        assert "published since 2027-01-15T08:00:00Z, for PT2H of PT25H; PT23H are missing" in plan.warning
        assert "cached the JWKS before 2027-01-15T08:00:00Z" in plan.warning
        assert history.ring.find(jwk(2).kid).forced == WHY
        assert history.ring.active == history.ring.find(jwk(2).kid)

    def test_forcing_a_key_that_is_ready_breaks_nobody_and_needs_no_reason(self) -> None:
        plan = commands.rotate(settled().ring, POLICY, READY, activate=True)
        assert (plan.outcome, plan.warning) == (Outcome.ACTIVATED, None)

    def test_forcing_without_a_standby_creates_publishes_and_activates(self) -> None:
        history = without_standby()
        plan = commands.rotate(history.ring, POLICY, NOW, activate=True, reason=WHY)
        history.carry_out(plan)
        assert plan.warning is not None
        assert "never published before" in plan.warning
        assert kids(history.ring, NOW) == [3, 1]
        assert history.ring.find(jwk(3).kid).forced == WHY

    @pytest.mark.parametrize("reason", [None, "", "  ", "x" * 1001])
    def test_forcing_takes_a_reason(self, reason: str | None) -> None:
        with pytest.raises(ReasonMissing, match="1 to 1000 characters"):
            commands.rotate(settled().ring, POLICY, NOW, activate=True, reason=reason)

    def test_of_two_at_once_the_second_answers_the_firsts(self) -> None:
        history = settled()
        seen = jwk(1).kid
        history.carry_out(commands.rotate(history.ring, POLICY, NOW, activate=True, reason=WHY, instead_of=seen))
        plan = commands.rotate(history.ring, POLICY, NOW, activate=True, reason=WHY, instead_of=seen)
        assert (plan.outcome, plan.kid, plan.actions) == (Outcome.UNCHANGED, jwk(2).kid, ())

    def test_there_must_be_room(self) -> None:
        policy = with_policy(max_published_keys=2)
        history = settled(policy=policy)
        history.carry_out(commands.rotate(history.ring, policy, READY))
        with pytest.raises(
            TooManyPublishedKeys, match="2 keys are published and max_published_keys is 2; the next leaves at 2027"
        ) as raised:
            commands.rotate(history.ring, policy, READY)
        assert raised.value.until == READY + KEPT
        with pytest.raises(TooManyPublishedKeys):
            commands.rotate(history.ring, policy, READY, activate=True, reason=WHY)

    def test_a_standby_of_the_old_algorithm_is_replaced(self) -> None:
        history, policy = settled(), with_policy(algorithm=Algorithm.ES256)
        plan = commands.rotate(history.ring, policy, NOW)
        history.carry_out(plan)
        assert plan.outcome is Outcome.CREATED
        assert kids(history.ring, NOW) == [1, 3]
        assert history.ring.find(jwk(2).kid).publish_until == NOW

    def test_a_node_whose_clock_is_behind_does_not_write_into_the_past(self) -> None:
        history = without_standby()
        events = history.carry_out(commands.rotate(history.ring, POLICY, NOW - DAY))
        assert {event.at for event in events} == {NOW}


class TestActivate:
    def test_a_ready_standby_signs(self) -> None:
        history = settled()
        plan = commands.activate(history.ring, POLICY, READY, jwk(2).kid)
        history.carry_out(plan)
        assert (plan.outcome, plan.warning) == (Outcome.ACTIVATED, None)
        assert history.ring.find(jwk(2).kid).forced is None

    def test_before_it_is_ready_it_takes_a_reason(self) -> None:
        history = settled()
        with pytest.raises(NotYetDue, match="or give a reason") as raised:
            commands.activate(history.ring, POLICY, NOW, jwk(2).kid)
        assert raised.value.at == READY
        plan = commands.activate(history.ring, POLICY, NOW, jwk(2).kid, reason=WHY)
        assert plan.warning is not None

    def test_the_active_key_stays_active(self) -> None:
        assert commands.activate(settled().ring, POLICY, NOW, jwk(1).kid).outcome is Outcome.UNCHANGED

    def test_no_other_key_can_sign_again(self) -> None:
        history = settled()
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(2).kid, reason=WHY))
        with pytest.raises(WrongState, match="is compromised and can't be activated"):
            commands.activate(history.ring, POLICY, NOW, jwk(2).kid)
        with pytest.raises(UnknownKid):
            commands.activate(history.ring, POLICY, NOW, "other")


class TestCompromise:
    def test_of_the_active_key_the_standby_signs_and_an_unknown_key_is_published(self) -> None:
        history = settled()
        plan = commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY)
        events = history.carry_out(plan)
        assert [type(event).__name__ for event in events] == ["KeyCompromised", "KeyActivated"]
        assert not plan.creations, "so that it need not wait for the key store"
        history.settle(NOW)
        assert kids(history.ring, NOW) == [2, 3]
        assert history.ring.find(jwk(2).kid).forced == f"key {jwk(1).kid} was compromised"
        assert history.ring.find(jwk(3).kid).emergency

    def test_where_what_is_due_would_wait_for_room_the_key_that_takes_over_does_not(self) -> None:
        history, policy = settled(), with_policy(max_published_keys=2)
        history.settle(turn := NOW + 90 * DAY)
        assert kids(history.ring, turn) == [2, 3, 1]
        events = history.carry_out(commands.compromise(history.ring, policy, turn, jwk(2).kid, reason=WHY))
        assert [type(event).__name__ for event in events] == ["KeyCompromised", "KeyActivated", "KeyPrepared"]
        assert history.ring.find(jwk(4).kid).emergency

    def test_without_a_standby_a_new_key_signs(self) -> None:
        history = without_standby()
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY))
        assert kids(history.ring, NOW) == [3]
        assert history.ring.takeover_from is None

    def test_if_the_store_is_away_it_leaves_all_the_same(self) -> None:
        history = without_standby()
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY), away=True)
        assert history.ring.active is None
        assert history.ring.jwks(NOW).keys == ()  # the one case in which a JWKS is empty: nothing can be signed either

    def test_of_a_standby_it_is_replaced(self) -> None:
        history = settled()
        plan = commands.compromise(history.ring, POLICY, NOW, jwk(2).kid, reason=WHY)
        assert not plan.creations
        history.carry_out(plan)
        history.settle(NOW)
        assert kids(history.ring, NOW) == [1, 3]
        assert not history.ring.find(jwk(3).kid).emergency

    def test_of_an_emergency_key_it_is_replaced_by_another_one(self) -> None:
        history = settled()
        for ordinal in (1, 3):
            history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(ordinal).kid, reason=WHY))
            history.settle(NOW)
        assert kids(history.ring, NOW) == [2, 4]
        assert history.ring.find(jwk(4).kid).emergency

    def test_of_one_key_after_the_other_a_fresh_one_signs_in_the_end(self) -> None:
        history = settled()
        for ordinal in (1, 2, 3, 4):
            history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(ordinal).kid, reason=WHY))
            history.settle(NOW)
        assert kids(history.ring, NOW) == [5, 6]
        assert history.ring.takeover_from == 6

    def test_of_a_deactivated_key_it_just_leaves(self) -> None:
        history = settled()
        history.settle(turn := NOW + 90 * DAY)
        events = history.carry_out(commands.compromise(history.ring, POLICY, turn, jwk(1).kid, reason=WHY))
        assert len(events) == 1
        assert kids(history.ring, turn) == [2, 3]

    def test_saying_it_again_changes_nothing(self) -> None:
        history = settled()
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY))
        plan = commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason="again")
        assert (plan.outcome, plan.actions) == (Outcome.UNCHANGED, ())

    def test_it_takes_a_reason_and_a_key(self) -> None:
        with pytest.raises(ReasonMissing):
            commands.compromise(settled().ring, POLICY, NOW, jwk(1).kid, reason=" ")
        with pytest.raises(UnknownKid):
            commands.compromise(settled().ring, POLICY, NOW, "other", reason=WHY)

    def test_a_destroyed_key_can_not_leave_again(self) -> None:
        history = settled()
        history.settle(turn := NOW + 90 * DAY)
        history.settle(turn + KEPT)
        with pytest.raises(WrongState, match="is destroyed"):
            commands.compromise(history.ring, POLICY, turn + KEPT, jwk(1).kid, reason=WHY)


class TestDestroy:
    def test_a_compromised_key(self) -> None:
        history = settled()
        history.carry_out(commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY))
        history.carry_out(commands.destroy(history.ring, POLICY, NOW, jwk(1).kid))
        key = history.ring.find(jwk(1).kid)
        assert (key.state, key.compromised_at) == (KeyState.DESTROYED, NOW)
        assert commands.destroy(history.ring, POLICY, NOW, jwk(1).kid).outcome is Outcome.UNCHANGED
        again = commands.compromise(history.ring, POLICY, NOW, jwk(1).kid, reason=WHY)
        assert again.outcome is Outcome.UNCHANGED

    def test_no_key_whose_tokens_are_still_in_use(self) -> None:
        history = settled()
        for ordinal in (1, 2):
            with pytest.raises(WrongState, match="rotate first"):
                commands.destroy(history.ring, POLICY, NOW, jwk(ordinal).kid)
        history.settle(turn := NOW + 90 * DAY)
        with pytest.raises(NotYetDue, match="its last token expires by"):
            commands.destroy(history.ring, POLICY, turn, jwk(1).kid)
        assert commands.destroy(history.ring, POLICY, turn + KEPT, jwk(1).kid).outcome is Outcome.DESTROYED


class TestChangePolicy:
    def test_the_ring_has_it_from_then_on(self) -> None:
        history, policy = settled(), with_policy(max_published_keys=4)
        plan = commands.change_policy(history.ring, policy, NOW)
        history.carry_out(plan)
        assert plan.outcome is Outcome.POLICY_CHANGED
        assert history.ring.policy == policy
        assert commands.change_policy(history.ring, policy, NOW).outcome is Outcome.UNCHANGED

    def test_a_bad_one_is_refused(self) -> None:
        with pytest.raises(InvalidPolicy):
            commands.change_policy(Ring.empty(), Policy(publish_ahead=1), NOW)

    def test_shorter_times_make_things_due(self) -> None:
        history = settled()
        policy = with_policy(rotation_period=26 * HOUR)
        assert due(history.ring, policy, NOW + 25 * HOUR) == []
        assert due(history.ring, policy, NOW + 26 * HOUR)
