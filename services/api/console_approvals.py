"""Approvals in the console: what waits for a second person on a tenant's page of keys, and the buttons that give or withdraw it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dashboards.console.approvals import ApprovalView, Viewer, approval_views
from dashboards.console.frame import HOME, keys_path
from keyvault.plan import Outcome
from services.access.principal import Principal
from services.api.console_edge import ConsoleRoute, TheVisitor, form_of, to
from services.api.edge import ThePlatform
from services.keys.approval_commands import held, scope_of
from services.keys.custodian import Done
from services.platform import Platform

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_BASE = HOME + "/{tenant}/keys/approvals/{identifier}"


def pending(running: Platform, tenant: str, who: Principal) -> tuple[ApprovalView, ...]:
    """What waits in the tenant's ring, as its page of keys shows it to somebody who may see that."""
    now = running.now()
    viewer = Viewer(lambda one: running.approvals.objection(one, who, now), lambda one: scope_of(one.order) in who.scopes)
    return approval_views(running.rings.of(tenant), now, viewer)


@router.post(_BASE + "/approve")
async def approve(tenant: str, identifier: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Approves, as a second person; what can't be approved is told on a page of its own."""
    await form_of(request, who.session)
    scope = who.principal.enter(tenant, held(who.principal), running.tenants.exists)
    done = await running.approvals.approve(scope, identifier, by=who.principal, command=None)
    who.session.notice = _approved(done)
    return to(keys_path(tenant))


@router.post(_BASE + "/withdraw")
async def withdraw(tenant: str, identifier: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Takes it back, or refuses it."""
    await form_of(request, who.session)
    scope = who.principal.enter(tenant, held(who.principal), running.tenants.exists)
    await running.approvals.withdraw(scope, identifier, reason=None, by=who.principal, command=None)
    who.session.notice = ("Withdrawn: nobody can approve it any more, and nothing was done.",)
    return to(keys_path(tenant))


def _approved(done: Done) -> tuple[str, ...]:
    active = done.ring.active
    match done.outcome:
        case Outcome.COMPROMISED:
            signs = f"Key {active.kid} signs." if active is not None else "No key signs until the key store has made one."
            said = f"Approved: key {done.kid} has left the JWKS. {signs}"
        case Outcome.DESTROYED:
            said = f"Approved: key {done.kid} is destroyed."
        case Outcome.POLICY_CHANGED:
            said = "Approved: the policy has changed."
        case _:
            said = f"Approved: key {done.kid} signs every new token now."
    return (said, done.warning) if done.warning is not None else (said,)
