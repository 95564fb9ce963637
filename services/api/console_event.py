"""The console's page of one event, with its neighbours: asked for and audited as through the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from dashboards.console.event_page import EventPage
from dashboards.console.frame import HOME
from dashboards.console.neighbours import EACH, Neighbours, Shared, shared
from services.access.scopes import Scope
from services.api.any_text import EVENT_ID
from services.api.console_edge import ConsoleRoute, TheVisitor, page_of
from services.api.edge import ThePlatform, client_ip
from services.errors import NotFound
from services.events.search import Question
from services.platform import Platform
from streams.errors import QueryError, SearchIndexError
from streams.scope import TenantScope
from streams.search_index import Hit

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.api_route(HOME + "/{tenant}/events/" + EVENT_ID, methods=["GET", "HEAD"])
async def event(tenant: str, event_id: str, request: Request, running: ThePlatform, who: TheVisitor, id: str = "") -> Response:  # noqa: A002
    """One event; see `dashboards.console.frame.event_path` for `id`."""
    scope = who.principal.enter(tenant, Scope.EVENTS_READ, running.tenants.exists)
    identifier = id if event_id == "-" and id else event_id
    hit = await running.search.one(scope, identifier)
    if hit is None:
        raise NotFound("there is no such event in this log, or it is not indexed yet")
    now, found = running.now(), json.loads(hit.document)
    kinds = shared(found)
    details = {"event.id": identifier[:512], "neighbours": [one.field for one in kinds], "via": "console"}
    await running.audit.record(scope, "event_read", who.principal, now, details=details, ip=client_ip(request))
    try:
        neighbours, trouble = await _neighbours(running, scope, hit, found, kinds, now), None
    except SearchIndexError as error:  # the event itself is here already
        neighbours, trouble = (), str(error)
    return page_of(request, await asyncio.to_thread(EventPage.of, tenant, found, now, neighbours, trouble), who, tenant)


async def _neighbours(
    running: Platform, scope: TenantScope, hit: Hit, event: dict[str, Any], kinds: Sequence[Shared], now: int
) -> tuple[Neighbours, ...]:
    async def around(one: Shared) -> Neighbours | None:
        try:
            before, after = await running.search.around(scope, Question(one.query), hit, now=now, limit=EACH)
        except QueryError:  # an address that is none, which no search finds
            return None
        return await asyncio.to_thread(_beside, scope.tenant, event, one, before, after)

    return tuple(found for found in await asyncio.gather(*map(around, kinds)) if found is not None)


def _beside(tenant: str, event: dict[str, Any], one: Shared, before: Sequence[Hit], after: Sequence[Hit]) -> Neighbours:
    return Neighbours.of(
        tenant, event, one, [json.loads(other.document) for other in before], [json.loads(other.document) for other in after]
    )
