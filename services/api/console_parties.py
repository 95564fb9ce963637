"""The console's list of a tenant's relying parties, and the form that registers one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.frame import HOME, party_path
from dashboards.console.parties_page import PartiesPage
from dashboards.console.party_form import PartyForm
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.console_forms import party_from
from services.api.edge import ThePlatform, platform
from services.api.problems import problem
from services.errors import Refused
from services.keys import relying_parties as commands
from services.outbound.target import origin

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/relying-parties"


@router.api_route(_PATH, methods=["GET", "HEAD"])
async def parties(tenant: str, request: Request, who: TheVisitor, find: str = "", after: str = "") -> Response:
    """Some of them."""
    return _page(request, who, tenant, find=find, after=after, notice=who.session.take_notice())


@router.post(_PATH)
async def register(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Registers a new one. One that is there is not overwritten: that is done on its own page, where one sees what it is."""
    sent = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    form = PartyForm.read(sent)
    try:
        party = party_from(form, form.id)
        await commands.register(
            running.control, running.rings, running.outbound, scope, party, who.principal.id, running.now(), before=None
        )
    except Refused as error:
        found = problem(error)
        assert found is not None, "what is refused is a problem"
        return _page(request, who, tenant, form=form, trouble=str(error), status=found.status)
    told = " Its webhook's address is not shown again, since it may hold a secret." if party.webhook is not None else ""
    who.session.notice = (f"Registered: rotations wait for {party.name} from now on, as far as the policy allows.{told}",)
    return to(party_path(tenant, party.id))


def _page(
    request: Request,
    who: Visitor,
    tenant: str,
    *,
    find: str = "",
    after: str = "",
    form: PartyForm | None = None,
    notice: tuple[str, ...] = (),
    trouble: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    running = platform(request)
    scope = who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    may_set = Scope.TENANT_ADMIN in who.principal.scopes
    page = PartiesPage.of(
        tenant,
        running.rings.of(scope.tenant),
        running.now(),
        origin=origin,
        find=find,
        after=after,
        form=(form or PartyForm()) if may_set else None,
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)
