"""Dual control: what a policy puts under it is recorded when one person asks, and carried out when a second one approves.

Pure plans over (ring, now), like `keyvault.commands`; `now` is epoch milliseconds. What is due by the schedule is nobody's wish, and never
under dual control. Who is a person is decided elsewhere: here, principals are names, and `same_person` compares two of them.

Approving plans anew on the ring of then, so that what was agreed to is carried out as it is right by now, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, assert_never

from keyvault import commands
from keyvault.approval import Approval, ApprovalState
from keyvault.errors import ApprovalClosed, SecondPersonNeeded, TooManyApprovals, UnknownKid, WrongState
from keyvault.events import ApprovalGiven, ApprovalRequested, ApprovalWithdrawn
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.plan import Outcome, Plan
from keyvault.policy import Guard, Policy
from keyvault.ring import Ring

_MOST_PENDING: Final = 20
"""Of one principal: whoever has a stolen token can't bury what others ask for."""


def planned(ring: Ring, now: int, order: Order) -> Plan:
    """What the order comes to, if nobody else has to agree; raises what the commands do."""
    policy = ring.policy
    match order:
        case CompromiseKey(kid=kid, reason=reason):
            return commands.compromise(ring, policy, now, kid, reason=reason or "")
        case DestroyKey(kid=kid):
            return commands.destroy(ring, policy, now, kid)
        case Rotate(activate=activate, instead_of=instead_of, reason=reason):
            return commands.rotate(ring, policy, now, activate=activate, reason=reason, instead_of=instead_of)
        case ActivateKey(kid=kid, reason=reason):
            return commands.activate(ring, policy, now, kid, reason=reason)
        case ChangePolicy(policy=wanted):
            return commands.change_policy(ring, wanted, now)
        case _:
            assert_never(order)


def decide(ring: Ring, now: int, order: Order, *, by: str, identifier: str, asker_is_left: Callable[[Approval], bool]) -> Plan:
    """What the order comes to: it is carried out, or asked for (`pending`) if the policy wants a second person.

    Whoever asks for what is pending already is answered with that, and it counts as no approval: that is said on purpose. But nobody can
    approve what was asked for by a token that is no longer valid, so then it is withdrawn and asked for anew: nobody waits for the dead.

    Args:
        ring: the current one.
        now: epoch milliseconds.
        order: what is asked for.
        by: the principal that asks.
        identifier: of the approval, if it takes one.
        asker_is_left: whether the principal that asked for an approval can still ask for anything.

    Raises:
        TooManyApprovals: this principal has asked for too much that is still pending.
        RingError: the order makes no sense, as `planned` says; so nobody is asked to approve what can't be done.
    """
    plan = planned(ring, now, order)
    if not _guarded(ring.policy, order, plan):
        return plan
    pending = Plan(at=plan.at, policy=ring.policy, outcome=Outcome.PENDING, kid=plan.kid, warning=plan.warning, approval=identifier)
    known = ring.approvals.last(order)
    dead: tuple[ApprovalWithdrawn, ...] = ()
    if known is not None and known.state(plan.at) is ApprovalState.PENDING:
        if asker_is_left(known):
            return replace(pending, approval=known.id)
        dead = (ApprovalWithdrawn(at=plan.at, id=known.id, withdrawn_by=by, reason="the token that asked is no longer valid"),)
    if sum(approval.asked_by == by for approval in ring.approvals.pending(plan.at)) >= _MOST_PENDING:
        raise TooManyApprovals(f"{_MOST_PENDING} approvals that {by} asked for are pending; have them approved, or withdraw some")
    until = plan.at + ring.policy.approval_window
    return replace(pending, first=(*dead, ApprovalRequested(at=plan.at, id=identifier, order=order, asked_by=by, until=until)))


def again(ring: Ring, now: int, order: Order, *, asker_is_left: Callable[[Approval], bool]) -> tuple[Outcome, Approval | None]:
    """What an order comes to that was asked for before, by a request that is repeated: nothing more, but it may still be pending.

    Args:
        ring: the current one.
        now: epoch milliseconds.
        order: what was asked for.
        asker_is_left: as for `decide`.

    Raises:
        ApprovalClosed: it never was carried out, and will not be: the approval was withdrawn, has expired, or can't be given any more.
    """
    at = max(now, ring.changed_at)
    known = ring.approvals.last(order)
    if known is None or known.state(at) is ApprovalState.GIVEN:
        return Outcome.UNCHANGED, None
    _check_pending(known, at)
    if not asker_is_left(known):
        raise ApprovalClosed(asker_is_gone(known))
    return Outcome.PENDING, known


def asker_is_gone(approval: Approval) -> str:
    """Why nobody can approve what a principal asked for that can't ask for anything any more."""
    gone = f"was asked for by {approval.asked_by}, whose token was revoked or has expired, so nobody can give it"
    return f"approval {approval.id!r} {gone}; withdraw it, or ask anew, which withdraws it, with another Idempotency-Key if you give one"


def approve(ring: Ring, now: int, identifier: str, *, by: str, same_person: Callable[[str, str], bool]) -> Plan:
    """Give the approval, and carry its order out, with the ring as it is now.

    If the order makes no sense any more, the approval is withdrawn instead, and the plan's `warning` says why. What may make sense again
    in a while (no room for another key, the key store away) is raised, and leaves it pending.

    Args:
        ring: the current one.
        now: epoch milliseconds.
        identifier: of the approval.
        by: the principal that approves.
        same_person: whether two principals stand for one person.

    Raises:
        UnknownApproval: there is none with this id.
        ApprovalClosed: it was given or withdrawn, or has expired.
        SecondPersonNeeded: `by` is who asked.
        RingError: it can't be carried out just now.
    """
    at = max(now, ring.changed_at)
    approval = ring.approvals.find(identifier)
    _check_pending(approval, at)
    if same_person(approval.asked_by, by):
        raise SecondPersonNeeded(
            f"approval {identifier!r} was asked for by {approval.asked_by}, which stands for the same person as {by}: they are the same "
            "token, one minted the other, or the same tenant's token minted both; somebody else has to approve"
        )
    try:
        plan = planned(ring, now, approval.order)
    except (UnknownKid, WrongState) as error:
        return _outdated(ring, at, approval, by, str(error))
    if plan.outcome is Outcome.UNCHANGED:
        return _outdated(ring, at, approval, by, "it is so already, or somebody else was faster")
    return replace(plan, first=(ApprovalGiven(at=at, id=identifier, given_by=by),), approval=identifier)


def withdraw(ring: Ring, now: int, identifier: str, *, by: str, reason: str | None = None) -> Plan:
    """Take the approval back, or refuse it: it can't be given any more.

    Raises:
        UnknownApproval: there is none with this id.
        ApprovalClosed: it was given or withdrawn, or has expired.
    """
    at = max(now, ring.changed_at)
    approval = ring.approvals.find(identifier)
    _check_pending(approval, at)
    event = ApprovalWithdrawn(at=at, id=identifier, withdrawn_by=by, reason=reason)
    return Plan(at=at, policy=ring.policy, outcome=Outcome.WITHDRAWN, first=(event,), approval=identifier)


def _guarded(policy: Policy, order: Order, plan: Plan) -> bool:
    """Whether the policy wants a second person for what the order comes to."""
    match order:
        case CompromiseKey():
            return plan.outcome is Outcome.COMPROMISED and Guard.COMPROMISE in policy.dual_control
        case DestroyKey():
            return plan.outcome is Outcome.DESTROYED and Guard.DESTROY in policy.dual_control
        case Rotate() | ActivateKey():
            # Whatever was asked for in which words: it counts whether a key signs before it is ready.
            return Guard.FORCE in policy.dual_control and any(getattr(action, "forced", None) is not None for action in plan.actions)
        case ChangePolicy(policy=wanted):
            return policy.weakened_by(wanted)
        case _:
            assert_never(order)


def _check_pending(approval: Approval, at: int) -> None:
    match approval.state(at):
        case ApprovalState.PENDING:
            return
        case ApprovalState.GIVEN:
            why = f"was given by {approval.closed_by} at {_time(approval.closed_at or 0)}, and carried out then"
        case ApprovalState.WITHDRAWN:
            by = f" by {approval.closed_by}" if approval.closed_by is not None else ""
            why = f"was withdrawn{by} at {_time(approval.closed_at or 0)}" + (f": {approval.why}" if approval.why else "") + "; ask anew"
        case ApprovalState.EXPIRED:
            why = f"has expired at {_time(approval.until)}: nobody gave it in time; ask anew"
    raise ApprovalClosed(f"approval {approval.id!r} {why}")


def _outdated(ring: Ring, at: int, approval: Approval, by: str, why: str) -> Plan:
    event = ApprovalWithdrawn(at=at, id=approval.id, withdrawn_by=by, reason=why)
    return Plan(at=at, policy=ring.policy, outcome=Outcome.WITHDRAWN, first=(event,), approval=approval.id, warning=why)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
