"""Routes of approvals: what takes a second person, and who gives it. See `keyvault.dual_control`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from keyvault.plan import Outcome
from services.access.scopes import Scope
from services.api.approval_answer import approval_answer
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.keys import done_answer
from services.api.models import ReasonBody
from services.keys.approval_commands import held
from streams.scope import TenantScope

router = APIRouter(tags=["keys"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]
_Command = Annotated[str | None, Header(alias="Idempotency-Key", description="The same command with the same key again changes nothing")]


async def _entered(tenant: str, running: ThePlatform, by: ThePrincipal) -> TenantScope:
    return by.enter(tenant, held(by), running.tenants.exists)


_Approver = Annotated[TenantScope, Depends(_entered)]


@router.get("/v1/tenants/{tenant}/keys/approvals", summary="Lists what waits for a second person")
async def list_approvals(scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """The pending ones, and the last twenty that are over; the newest first. The tenant's log has all: `event.action:approval_*`."""
    now = running.now()
    return {"approvals": [approval_answer(scope.tenant, one, now) for one in reversed(running.rings.of(scope.tenant).approvals.all)]}


@router.get("/v1/tenants/{tenant}/keys/approvals/{identifier}", summary="Shows an approval")
async def get_approval(identifier: str, scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """`state` is `pending`, `given`, `withdrawn` or `expired`."""
    return approval_answer(scope.tenant, running.rings.of(scope.tenant).approvals.find(identifier), running.now())


@router.post("/v1/tenants/{tenant}/keys/approvals/{identifier}/approve", summary="Approves, as a second person")
async def approve(
    identifier: str, scope: _Approver, running: ThePlatform, by: ThePrincipal, response: Response, command: _Command = None
) -> dict[str, Any]:
    """Carries out what was asked for, as it is right by now, and answers what it came to. It takes the scope that asking takes.

    Who asked can't approve (403), nor can a token that one person may hold beside the one that asked. What makes no sense any more is
    withdrawn (409).
    """
    done = await running.approvals.approve(scope, identifier, by=by, command=command)
    answer = done_answer(scope, done, running.now(), response)
    return {**answer, "policy": done.ring.policy.render()} if done.outcome is Outcome.POLICY_CHANGED else answer


@router.post("/v1/tenants/{tenant}/keys/approvals/{identifier}/withdraw", summary="Withdraws what waits for a second person")
async def withdraw(
    identifier: str, scope: _Approver, running: ThePlatform, by: ThePrincipal, body: ReasonBody | None = None, command: _Command = None
) -> dict[str, Any]:
    """By whoever asked, to take it back, or by somebody else with the same scope, to refuse it."""
    reason = body.reason if body is not None else None
    await running.approvals.withdraw(scope, identifier, reason=reason, by=by, command=command)
    return approval_answer(scope.tenant, running.rings.of(scope.tenant).approvals.find(identifier), running.now())
