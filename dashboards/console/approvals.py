"""What waits for a second person, in words: who asks for what, and what comes of it if somebody approves now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from dashboards.console.times import age, utc, words
from keyvault.approval import Approval
from keyvault.dual_control import planned
from keyvault.errors import KeyVaultError
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.policy import Policy
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """A pending approval.

    Attributes:
        title: what is asked for.
        asked: who asks for it, and since when.
        reason: why, in their words; None if they gave none.
        says: what would come of it now, and until when it can be approved; in paragraphs.
        button: what stands on the button.
        objection: why whoever looks at it can't approve; None if they can.
        may_withdraw: whether they can end it.
    """

    id: str
    title: str
    asked: str
    reason: str | None
    says: tuple[str, ...]
    button: str
    objection: str | None
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at the approvals.

    Attributes:
        objection: why they can't give an approval, in words; None if they can.
        may_withdraw: whether they can end it.
    """

    objection: Callable[[Approval], str | None]
    may_withdraw: Callable[[Approval], bool]


def approval_views(ring: Ring, now: int, viewer: Viewer) -> tuple[ApprovalView, ...]:
    """The ring's pending approvals, the oldest first."""
    return tuple(_view(approval, ring, now, viewer) for approval in ring.approvals.pending(now))


def _view(approval: Approval, ring: Ring, now: int, viewer: Viewer) -> ApprovalView:
    title, button, means = _order(approval.order, ring.policy)
    until = f"A second person can approve until {utc(approval.until)} ({age(approval.until, now)}). Nothing is done before."
    return ApprovalView(
        id=approval.id,
        title=title,
        asked=f"{approval.asked_by} asked for this {age(approval.asked_at, now)}.",
        reason=approval.order.reason,
        says=(*means, *_comes_to(approval.order, ring, now), until),
        button=button,
        objection=viewer.objection(approval),
        may_withdraw=viewer.may_withdraw(approval),
    )


def _comes_to(order: Order, ring: Ring, now: int) -> tuple[str, ...]:
    """What a plan of now would say. The same pure plan decides when somebody approves."""
    try:
        plan = planned(ring, now, order)
    except KeyVaultError as error:
        return (f"It makes no sense just now: {error}.",)
    return (plan.warning,) if plan.warning is not None else ()


def _order(order: Order, policy: Policy) -> tuple[str, str, tuple[str, ...]]:
    """Its title, its button, and what it means."""
    match order:
        case CompromiseKey(kid=kid):
            means = f"Key {kid} leaves the JWKS at once, and every token that it signed is refused."
            return "Report a key as compromised", "Approve: the key leaves now", (means, "If it signs now, another key does from then on.")
        case DestroyKey(kid=kid):
            means = f"The private half of key {kid} is destroyed in the key store, for good."
            return "Destroy a key", "Approve: destroy the key", (means,)
        case Rotate():
            return "Force a rotation", "Approve: rotate now", ("The next key signs at once, without waiting for relying parties.",)
        case ActivateKey(kid=kid):
            means = f"Key {kid} signs at once, without waiting for relying parties."
            return "Force a key to sign", "Approve: let it sign now", (means,)
        case ChangePolicy(policy=wanted):
            return "Change the policy", "Approve: change the policy", _changes(policy, wanted)
        case _:
            assert_never(order)


def _changes(policy: Policy, wanted: Policy) -> tuple[str, ...]:
    before, after = policy.render(), wanted.render()
    changes = [f"{name} from {_value(before[name])} to {_value(after[name])}" for name in before if before[name] != after[name]]
    return (f"It changes {'; '.join(changes)}.",) if changes else ("It changes nothing any more.",)


def _value(value: object) -> str:
    return (", ".join(map(str, value)) or "nothing") if isinstance(value, list) else str(value)


def dual_control_words(policy: Policy) -> str:
    """What is under dual control."""
    if not policy.dual_control:
        return "nothing"
    return f"{', '.join(policy.dual_control)}; approved within {words(policy.approval_window)}"
