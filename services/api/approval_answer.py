"""An approval as the API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from keyvault.approval import Approval, ApprovalState
from keyvault.orders import ChangePolicy
from streams.event import iso


def approval_answer(tenant: str, approval: Approval, now: int) -> dict[str, Any]:
    """What was asked for, by whom, where it stands at `now`, and while it is pending where to approve it."""
    state = approval.state(now)
    order = msgspec.to_builtins(approval.order)
    if isinstance(approval.order, ChangePolicy):
        order["policy"] = approval.order.policy.render()
    answer: dict[str, Any] = {
        "id": approval.id,
        "state": state.value,
        **order,
        "asked_by": approval.asked_by,
        "asked_at": iso(approval.asked_at),
        "expires_at": iso(approval.until),
    }
    if approval.closed_at is not None:
        answer |= {"closed_by": approval.closed_by, "closed_at": iso(approval.closed_at)}
    if approval.why is not None:
        answer["why"] = approval.why
    if state is ApprovalState.PENDING:
        answer["approve"] = f"{approvals_path(tenant)}/{approval.id}/approve"
    return answer


def approvals_path(tenant: str) -> str:
    """Where the tenant's approvals are."""
    return f"/v1/tenants/{tenant}/keys/approvals"
