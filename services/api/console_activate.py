"""The console's page that lets a standby sign: what that does to whom, and the button."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.activation import ActivatePage, activated, activation
from dashboards.console.frame import HOME, keys_path
from keyvault.errors import KeyVaultError
from keyvault.ring import Ring
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.edge import ThePlatform, platform
from services.api.problems import problem
from services.errors import Conflict, Invalid

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/keys/activate"
"""The `kid` is in the query: an imported one can be any text, which a path can't."""
_CHANGED: Final = (
    "The keys, or who has them, have changed since this page was loaded, so nothing was done. What would happen now stands below."
)


@router.api_route(_PATH, methods=["GET", "HEAD"])
async def look(tenant: str, kid: str, request: Request, who: TheVisitor) -> Response:
    """What would happen to whom."""
    return _page(request, who, tenant, kid)


@router.post(_PATH)
async def activate(tenant: str, kid: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Does what the page said that it would do, or nothing, if that is something else by now."""
    form = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.KEYS_ROTATE, running.tenants.exists)
    reason = form.get("reason", "").strip()

    def check(ring: Ring, now: int) -> None:
        plan = activation(ring, now, kid)
        if form.get("expects") != plan.expects:
            raise Conflict(_CHANGED)
        if plan.forced and not reason:
            raise Invalid("Nothing was done: letting a key sign before it is safe takes a reason.")

    try:
        done = await running.custodian.activate(scope, kid, reason=reason or None, by=who.principal.id, command=None, check=check)
    except (KeyVaultError, Conflict, Invalid) as error:
        found = problem(error)
        status = found.status if found else HTTPStatus.INTERNAL_SERVER_ERROR
        return _page(request, who, tenant, kid, reason=reason, trouble=str(error), status=status)
    who.session.notice = activated(done.outcome, done.ring, kid, done.warning, running.now())
    return to(keys_path(tenant))


def _page(
    request: Request, who: Visitor, tenant: str, kid: str, *, reason: str = "", trouble: str | None = None, status: int = HTTPStatus.OK
) -> Response:
    running = platform(request)
    who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    may = Scope.KEYS_ROTATE in who.principal.scopes
    page = ActivatePage.of(tenant, running.rings.of(tenant), kid, running.now(), may_activate=may, reason=reason, trouble=trouble)
    return page_of(request, page, who, tenant, status=status)
