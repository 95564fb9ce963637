"""The console's export: all that the question of a page finds, as a file that a link downloads."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dashboards.console.frame import HOME
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor
from services.api.console_log import WhatIsAsked, question_of, still_signed_in
from services.api.edge import ThePlatform
from services.api.event_export import Format, exported

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get(HOME + "/{tenant}/log/export")
async def export(
    request: Request,
    running: ThePlatform,
    who: TheVisitor,
    asked: WhatIsAsked,
    format: Format = Format.NDJSON,  # noqa: A002 -- the API's name
) -> Response:
    """The file, as the API's export makes it (`services.api.event_export`), with the same slots; it breaks off when the session ends."""
    scope = who.principal.enter(asked.tenant, Scope.EVENTS_READ, running.tenants.exists)
    check = still_signed_in(request, asked.tenant)
    return await exported(request, running, scope, question_of(asked), who.principal, format, check, told={"via": "console"})
