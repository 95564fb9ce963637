"""The console's page of a key that has leaked: who is affected, and the report itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.compromise_page import CompromisePage, expected, reported
from dashboards.console.frame import HOME, compromise_path
from keyvault.errors import KeyVaultError
from keyvault.plan import Outcome
from keyvault.ring import Ring
from services.access.scopes import Scope
from services.api.blast_radius import radius
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.edge import ThePlatform, platform
from services.api.problems import problem
from services.errors import Conflict

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/keys/compromise"
"""The `kid` is in the query: an imported one can be any text, which a path can't."""
_CHANGED: Final = (
    "The keys, the policy or the relying parties have changed since this page was loaded, so nothing was done. "
    "What a report would do now stands below."
)


@router.api_route(_PATH, methods=["GET", "HEAD"])
async def look(tenant: str, kid: str, request: Request, who: TheVisitor) -> Response:
    """What a report would do, or did, and who is affected."""
    return await _page(request, who, tenant, kid, notice=who.session.take_notice())


@router.post(_PATH)
async def report(tenant: str, kid: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Does what the page said that it would do, or nothing, if that is something else by now."""
    form = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.KEYS_REVOKE, running.tenants.exists)
    reason = form.get("reason", "")

    def check(ring: Ring, _: int) -> None:
        if ring.find(kid).compromised_at is None and form.get("expects") != expected(ring, kid):
            raise Conflict(_CHANGED)

    try:
        done = await running.custodian.compromise(scope, kid, reason=reason, by=who.principal.id, command=None, check=check)
    except (KeyVaultError, Conflict) as error:
        found = problem(error)
        status = found.status if found else HTTPStatus.INTERNAL_SERVER_ERROR
        return await _page(request, who, tenant, kid, reason=reason, trouble=str(error), status=status)
    if done.outcome is Outcome.PENDING:
        who.session.notice = ("Asked for: the policy wants a second person's approval. The key stays in the JWKS until it is given.",)
    else:
        who.session.notice = reported(done.ring, kid)
    return to(compromise_path(tenant, kid))


async def _page(
    request: Request,
    who: Visitor,
    tenant: str,
    kid: str,
    *,
    reason: str = "",
    notice: tuple[str, ...] = (),
    trouble: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    running = platform(request)
    scope = who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    running.rings.of(tenant).find(kid)
    found = await radius(running, scope, kid)
    page = CompromisePage.of(
        tenant,
        running.rings.of(tenant),
        found,
        running.now(),
        may_report=Scope.KEYS_REVOKE in who.principal.scopes,
        reason=reason,
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)
