"""What takes two people is asked for by one and done by the other; nothing else changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from keyvault.algorithms import Algorithm
from keyvault.approval import Approval, ApprovalState
from keyvault.approvals import Approvals
from keyvault.dual_control import again, approve, decide, planned, withdraw
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.errors import (
    ApprovalClosed,
    BrokenHistory,
    NotYetDue,
    ReasonMissing,
    SecondPersonNeeded,
    TooManyApprovals,
    TooManyPublishedKeys,
    UnknownApproval,
    UnknownKid,
    WrongState,
)
from keyvault.events import ApprovalGiven, ApprovalRequested, KeyActivated, KeyCompromised, KeyDestroyed, KeyEvent, PolicyChanged
from keyvault.key import KeyState
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.plan import Outcome, Plan
from keyvault.policy import Guard, Policy
from tests.keyvault.made import NOW, POLICY, History, jwk, settled, with_policy

ADA, GRACE, LINUS = "token:ada", "token:grace", "token:linus"
WHY = "found in a public repository"
ALL = with_policy(dual_control=tuple(Guard))
FIRST, SECOND, THIRD = (jwk(ordinal).kid for ordinal in (1, 2, 3))


def guarded(policy: Policy = ALL) -> History:
    """Key 1 signs, key 2 is the standby."""
    history = settled()
    history.append([PolicyChanged(at=NOW, policy=policy)])
    return history


def ask(history: History, order: Order, *, by: str = ADA, now: int = NOW, identifier: str = "a1", gone: Collection[str] = ()) -> Plan:
    plan = decide(history.ring, now, order, by=by, identifier=identifier, asker_is_left=lambda asked: asked.asked_by not in gone)
    history.carry_out(plan)
    return plan


def give(history: History, *, by: str = GRACE, now: int = NOW, identifier: str = "a1") -> Plan:
    plan = approve(history.ring, now, identifier, by=by, same_person=str.__eq__)
    history.carry_out(plan)
    return plan


def state(history: History, now: int = NOW, identifier: str = "a1") -> ApprovalState:
    return history.ring.approvals.find(identifier).state(now)


def test_without_dual_control_everything_is_done_at_once() -> None:
    history = guarded(POLICY)
    assert ask(history, CompromiseKey(kid=FIRST, reason=WHY)).outcome is Outcome.COMPROMISED
    assert history.ring.approvals == Approvals()


@pytest.mark.parametrize(
    ("order", "guard", "outcome", "event"),
    [
        (CompromiseKey(kid=FIRST, reason=WHY), Guard.COMPROMISE, Outcome.COMPROMISED, KeyCompromised),
        (CompromiseKey(kid=SECOND, reason=WHY), Guard.COMPROMISE, Outcome.COMPROMISED, KeyCompromised),
        (Rotate(activate=True, reason=WHY, instead_of=FIRST), Guard.FORCE, Outcome.ACTIVATED, KeyActivated),
        (ActivateKey(kid=SECOND, reason=WHY), Guard.FORCE, Outcome.ACTIVATED, KeyActivated),
        (ChangePolicy(policy=POLICY), Guard.DESTROY, Outcome.POLICY_CHANGED, PolicyChanged),
    ],
)
def test_what_takes_two_is_asked_for_by_one_and_done_by_the_other(order: Order, guard: Guard, outcome: Outcome, event: type) -> None:
    history = guarded(with_policy(dual_control=(guard,)))
    before = history.ring
    asked = ask(history, order)
    assert (asked.outcome, asked.approval, asked.actions) == (Outcome.PENDING, "a1", ())
    assert replace(history.ring, approvals=Approvals()) == before, "nothing was done"
    [pending] = history.ring.approvals.pending(NOW)
    assert (pending.order, pending.asked_by, pending.asked_at, pending.until) == (order, ADA, NOW, NOW + HOUR)
    given = give(history, now=NOW + MINUTE)
    assert given.outcome is outcome
    assert isinstance(given.first[0], ApprovalGiven)
    assert any(isinstance(one, event) for one in history.events[history.events.index(given.first[0]) :])
    assert state(history) is ApprovalState.GIVEN


def test_a_compromised_key_is_destroyed_by_two() -> None:
    history = guarded(POLICY)
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    history.append([PolicyChanged(at=NOW, policy=ALL)])
    assert ask(history, DestroyKey(kid=FIRST)).outcome is Outcome.PENDING
    assert history.ring.find(FIRST).state is KeyState.COMPROMISED
    assert give(history).outcome is Outcome.DESTROYED
    assert isinstance(history.events[-1], KeyDestroyed)


@pytest.mark.parametrize(
    ("order", "now"),
    [
        (Rotate(), NOW),
        (Rotate(activate=True, reason=WHY, instead_of=FIRST), NOW + 2 * DAY),
        (ActivateKey(kid=SECOND), NOW + 2 * DAY),
        (ActivateKey(kid=FIRST, reason=WHY), NOW),
        (ChangePolicy(policy=with_policy(dual_control=tuple(Guard), rotation_period=30 * DAY)), NOW),
    ],
)
def test_what_forces_nothing_takes_one_person(order: Order, now: int) -> None:
    history = guarded()
    assert ask(history, order, now=now).outcome is not Outcome.PENDING
    assert history.ring.approvals == Approvals()


def test_what_is_due_takes_nobodys_approval() -> None:
    history = guarded()
    assert any(isinstance(event, KeyActivated) for event in history.settle(NOW + 90 * DAY, ALL))
    assert any(isinstance(event, KeyDestroyed) for event in history.settle(NOW + 91 * DAY, ALL))


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (CompromiseKey(kid="nobody", reason=WHY), UnknownKid),
        (CompromiseKey(kid=FIRST, reason=" "), ReasonMissing),
        (CompromiseKey(kid=FIRST), ReasonMissing),
        (DestroyKey(kid=FIRST), WrongState),
        (Rotate(activate=True), ReasonMissing),
        (ActivateKey(kid=SECOND), NotYetDue),
    ],
)
def test_nobody_is_asked_to_approve_what_can_not_be_done(order: Order, error: type[Exception]) -> None:
    history = guarded()
    with pytest.raises(error):
        ask(history, order)
    assert history.ring.approvals == Approvals()


def test_who_asked_can_not_approve() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    with pytest.raises(SecondPersonNeeded, match=f"asked for by {ADA}"):
        give(history, by=ADA)
    with pytest.raises(SecondPersonNeeded):
        approve(history.ring, NOW, "a1", by=GRACE, same_person=lambda one, other: {one, other} == {ADA, GRACE})
    assert state(history) is ApprovalState.PENDING


def test_asking_for_the_same_again_is_no_approval() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    before = history.ring
    for by in (ADA, GRACE):
        plan = ask(history, CompromiseKey(kid=FIRST, reason="I have seen it, too"), by=by, identifier="a2")
        assert (plan.outcome, plan.approval) == (Outcome.PENDING, "a1")
    assert history.ring == before
    assert ask(history, CompromiseKey(kid=SECOND, reason=WHY), identifier="a2").approval == "a2"


def test_it_can_be_approved_until_the_last_millisecond_and_not_later() -> None:
    early, late = guarded(), guarded()
    for history in (early, late):
        ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    assert give(early, now=NOW + HOUR - 1).outcome is Outcome.COMPROMISED
    with pytest.raises(ApprovalClosed, match="has expired at 2027-01-15T09:00:00Z"):
        give(late, now=NOW + HOUR)
    with pytest.raises(ApprovalClosed):
        withdraw(late.ring, NOW + HOUR, "a1", by=ADA)
    assert late.ring.approvals.pending(NOW + HOUR) == ()
    assert state(late, NOW + HOUR) is ApprovalState.EXPIRED
    assert ask(late, CompromiseKey(kid=FIRST, reason=WHY), now=NOW + HOUR, identifier="a2").approval == "a2"


def test_a_clock_that_is_behind_the_log_approves_nothing_that_has_expired() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    history.append([PolicyChanged(at=NOW + HOUR, policy=ALL)])
    with pytest.raises(ApprovalClosed):
        give(history, now=NOW)


def test_it_is_given_once() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    give(history)
    with pytest.raises(ApprovalClosed, match=f"was given by {GRACE}"):
        give(history, by=LINUS)
    with pytest.raises(ApprovalClosed):
        withdraw(history.ring, NOW, "a1", by=ADA)


def test_what_was_withdrawn_can_not_be_given() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    history.carry_out(withdraw(history.ring, NOW, "a1", by=GRACE, reason="a false alarm"))
    with pytest.raises(ApprovalClosed, match=f"withdrawn by {GRACE} at .*: a false alarm; ask anew"):
        give(history)
    assert history.ring.find(FIRST).state is KeyState.ACTIVE
    assert ask(history, CompromiseKey(kid=FIRST, reason=WHY), identifier="a2").approval == "a2"


def test_what_a_token_asked_for_that_is_gone_is_asked_for_anew() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason="no reason"), by=LINUS)
    assert ask(history, CompromiseKey(kid=FIRST, reason=WHY), identifier="a2").approval == "a1", "while there is somebody who asked"
    asked = ask(history, CompromiseKey(kid=FIRST, reason=WHY), identifier="a2", gone=[LINUS])
    assert (asked.outcome, asked.approval) == (Outcome.PENDING, "a2")
    assert state(history) is ApprovalState.WITHDRAWN
    assert history.ring.approvals.find("a1").why == "the token that asked is no longer valid"
    assert give(history, identifier="a2").outcome is Outcome.COMPROMISED


def test_an_unknown_approval() -> None:
    with pytest.raises(UnknownApproval, match="'a9'"):
        give(guarded(), identifier="a9")
    with pytest.raises(UnknownApproval, match="'a9'"):
        withdraw(guarded().ring, NOW, "a9", by=ADA)


def test_it_is_carried_out_on_the_ring_of_then() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY), now=NOW)
    history.append([PolicyChanged(at=NOW, policy=with_policy(dual_control=(Guard.COMPROMISE,), approval_window=DAY))])
    ask(history, CompromiseKey(kid=SECOND, reason=WHY), now=NOW + 1, identifier="a2")
    give(history, now=NOW + 2, identifier="a2")  # the standby is another one now
    give(history, now=NOW + 3)
    assert history.ring.active is not None
    assert history.ring.active.kid == THIRD


def test_a_force_that_has_become_unnecessary_is_none() -> None:
    history = guarded(with_policy(dual_control=tuple(Guard), approval_window=2 * DAY))
    ask(history, ActivateKey(kid=SECOND, reason=WHY))
    assert give(history, now=NOW + 26 * HOUR).warning is None
    assert history.ring.find(SECOND).forced is None


@pytest.mark.parametrize(
    ("order", "between"),
    [
        (CompromiseKey(kid=SECOND, reason=WHY), CompromiseKey(kid=SECOND, reason="by somebody before the policy had it")),
        (ActivateKey(kid=SECOND, reason=WHY), CompromiseKey(kid=SECOND, reason=WHY)),
        (Rotate(activate=True, reason=WHY, instead_of=FIRST), ActivateKey(kid=SECOND, reason=WHY)),
    ],
)
def test_what_makes_no_sense_any_more_is_withdrawn(order: Order, between: Order) -> None:
    history = guarded()
    ask(history, order)
    history.carry_out(planned(history.ring, NOW, between))
    before = replace(history.ring, approvals=Approvals())
    plan = give(history)
    assert (plan.outcome, plan.actions) == (Outcome.WITHDRAWN, ())
    assert plan.warning
    assert state(history) is ApprovalState.WITHDRAWN
    assert replace(history.ring, approvals=Approvals()) == before


def test_a_policy_that_was_asked_for_undoes_no_later_one() -> None:
    history = guarded()
    ask(history, ChangePolicy(policy=POLICY))
    ask(history, CompromiseKey(kid=FIRST, reason=WHY), identifier="a2")
    stronger = msgspec.structs.replace(ALL, rotation_period=30 * DAY)
    assert ask(history, ChangePolicy(policy=stronger)).outcome is Outcome.POLICY_CHANGED
    with pytest.raises(ApprovalClosed, match="another policy was set meanwhile"):
        give(history)
    assert state(history, identifier="a2") is ApprovalState.PENDING


def test_no_room_for_a_key_leaves_it_pending() -> None:
    history = guarded(with_policy(dual_control=(Guard.FORCE,), max_published_keys=3))
    history.carry_out(planned(history.ring, NOW, ActivateKey(kid=SECOND, reason=WHY)))
    order = Rotate(activate=True, reason=WHY, instead_of=SECOND)
    assert ask(history, order).outcome is Outcome.PENDING
    history.settle(NOW, history.ring.policy)  # a standby, which takes the last place, of another algorithm than is wanted
    smaller = with_policy(dual_control=(Guard.FORCE,), max_published_keys=2, algorithm=Algorithm.ES256)
    history.append([PolicyChanged(at=NOW, policy=smaller)])
    with pytest.raises(TooManyPublishedKeys):
        give(history)
    assert state(history) is ApprovalState.PENDING


def test_nobody_buries_the_others_under_what_they_ask() -> None:
    history = guarded(with_policy(dual_control=tuple(Guard), approval_window=7 * DAY))
    policies = (with_policy(rotation_period=(30 + days) * DAY) for days in range(21))
    for number, policy in enumerate(policies):
        if number < 20:
            ask(history, ChangePolicy(policy=policy), identifier=f"a{number}")
        else:
            with pytest.raises(TooManyApprovals):
                ask(history, ChangePolicy(policy=policy), identifier=f"a{number}")
    assert ask(history, CompromiseKey(kid=FIRST, reason=WHY), by=GRACE, identifier="b").outcome is Outcome.PENDING


def test_what_is_over_is_forgotten_by_and_by_and_what_is_pending_never() -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY), identifier="kept")
    for number in range(40):
        ask(history, CompromiseKey(kid=SECOND, reason=WHY), identifier=f"a{number}")
        history.carry_out(withdraw(history.ring, NOW, f"a{number}", by=ADA))
    assert state(history, identifier="kept") is ApprovalState.PENDING
    assert len(history.ring.approvals.all) <= 22
    assert give(history, identifier="kept").outcome is Outcome.COMPROMISED


def test_a_repeated_request_is_answered_with_what_became_of_it() -> None:
    history, gone = guarded(), set[str]()
    order = CompromiseKey(kid=FIRST, reason=WHY)

    def repeated(now: int = NOW) -> tuple[Outcome, Approval | None]:
        return again(history.ring, now, order, asker_is_left=lambda asked: asked.asked_by not in gone)

    assert repeated() == (Outcome.UNCHANGED, None)
    ask(history, order)
    assert repeated() == (Outcome.PENDING, history.ring.approvals.find("a1"))
    with pytest.raises(ApprovalClosed, match="expired"):
        repeated(NOW + HOUR)
    gone.add(ADA)
    with pytest.raises(ApprovalClosed, match="nobody can give it; withdraw it, or ask anew"):
        repeated()
    give(history)
    assert repeated() == (Outcome.UNCHANGED, None)


@pytest.mark.parametrize("event", ["asked twice", "given twice", "given too late", "never asked"])
def test_a_history_that_can_not_be_is_refused(event: str) -> None:
    history = guarded()
    ask(history, CompromiseKey(kid=FIRST, reason=WHY))
    given: dict[str, Any] = {"id": "a1", "given_by": GRACE}
    if event == "given twice":
        give(history)
    events: dict[str, KeyEvent] = {
        "asked twice": ApprovalRequested(at=NOW, id="a1", order=DestroyKey(kid=FIRST), asked_by=ADA, until=NOW + 1),
        "given twice": ApprovalGiven(at=NOW, **given),
        "given too late": ApprovalGiven(at=NOW + HOUR, **given),
        "never asked": ApprovalGiven(at=NOW, id="a9", given_by=GRACE),
    }
    with pytest.raises(BrokenHistory):
        history.append([events[event]])
