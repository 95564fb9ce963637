"""The approvals that were asked for in a key ring, folded with its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

from keyvault.approval import Approval, ApprovalState
from keyvault.errors import BrokenHistory, UnknownApproval
from keyvault.orders import ChangePolicy, Order, same

_REMEMBERED: Final = 20
"""Of those that are over. The tenant's own log has all of them."""


@dataclass(frozen=True, slots=True)
class Approvals:
    """All that are pending, and the last ones that are over. Immutable.

    Attributes:
        all: in the order in which they were asked for.
    """

    all: tuple[Approval, ...] = ()

    def find(self, identifier: str) -> Approval:
        """The approval with this id.

        Raises:
            UnknownApproval: there is none, or none any more.
        """
        for approval in self.all:
            if approval.id == identifier:
                return approval
        raise UnknownApproval(f"this key ring has no approval {identifier!r}; list those that there are")

    def pending(self, now: int) -> tuple[Approval, ...]:
        """Those that can be given at `now`, the oldest first."""
        return tuple(approval for approval in self.all if approval.state(now) is ApprovalState.PENDING)

    def last(self, order: Order) -> Approval | None:
        """The last time that this very order was asked for, for whatever reason; None if it never was, or is forgotten."""
        return next((approval for approval in reversed(self.all) if same(approval.order, order)), None)

    def ask(self, approval: Approval) -> Self:
        """With one more, and without the oldest of those that are over.

        Raises:
            BrokenHistory: it was asked for before.
        """
        if any(other.id == approval.id for other in self.all):
            raise BrokenHistory(f"approval {approval.id!r} was asked for before")
        over = [other for other in self.all if other.state(approval.asked_at) is not ApprovalState.PENDING]
        forgotten = {other.id for other in over[:-_REMEMBERED]}
        return replace(self, all=(*(other for other in self.all if other.id not in forgotten), approval))

    def close(self, identifier: str, how: ApprovalState, at: int, by: str, why: str | None = None) -> Self:
        """With this one given or withdrawn.

        Raises:
            BrokenHistory: it was not pending.
        """
        if all(approval.id != identifier or approval.state(at) is not ApprovalState.PENDING for approval in self.all):
            raise BrokenHistory(f"approval {identifier!r} can't be {how}: it was not pending")
        changed = (
            replace(approval, closed=how, closed_at=at, closed_by=by, why=why) if approval.id == identifier else approval
            for approval in self.all
        )
        return replace(self, all=tuple(changed))

    def policy_changed(self, at: int) -> Self:
        """Without the pending changes of the policy: whoever asked for them meant the one before, and would undo what came between."""
        why = "another policy was set meanwhile"
        changed = (
            replace(approval, closed=ApprovalState.WITHDRAWN, closed_at=at, why=why)
            if isinstance(approval.order, ChangePolicy) and approval.state(at) is ApprovalState.PENDING
            else approval
            for approval in self.all
        )
        return replace(self, all=tuple(changed)) if self.all else self
