"""The console's live tail: what arrives for the question of a page, as rows of its table, for as long as the session lasts."""

from __future__ import annotations

import json
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response

from dashboards.console.columns import columns
from dashboards.console.frame import HOME
from dashboards.console.rows import Row
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor
from services.api.console_log import WhatIsAsked, question_of, still_signed_in
from services.api.edge import ThePlatform
from services.api.event_tail import live, told_problem
from services.errors import TooMany
from streams.search_index import Hit

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_STREAM: Final = "text/event-stream"


@router.get(HOME + "/{tenant}/log/tail")
async def tail(
    request: Request,
    running: ThePlatform,
    who: TheVisitor,
    asked: WhatIsAsked,
    after: str = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Server-sent events, as the API's tail has them (`services.api.event_tail`), with the same slots; each event's data is a row."""
    scope = who.principal.enter(asked.tenant, Scope.EVENTS_READ, running.tenants.exists)
    shown = columns(asked.columns)

    def row(hit: Hit) -> str:
        return json.dumps(Row.of(scope.tenant, json.loads(hit.document), shown).news(), separators=(",", ":"))

    try:
        return await live(
            request,
            running,
            scope,
            question_of(asked),
            who.principal,
            last_event_id or after,
            still_signed_in(request, asked.tenant),
            data=row,
            told={"via": "console"},
        )
    except TooMany as error:
        # A browser does not show its scripts why a stream was refused, only that it was; so the reason is the stream.
        return Response(told_problem(error), media_type=_STREAM)
