"""What the routes share that ask about a tenant's events: who may, what is asked, how a page is answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query, Request, Response

from services.access.principal import Principal
from services.access.scopes import Scope
from services.api.edge import needs
from services.errors import Unauthenticated
from services.events.search import Question
from services.platform import Platform
from streams.scope import TenantScope
from streams.search_index import Hit

Reader = Annotated[TenantScope, Depends(needs(Scope.EVENTS_READ))]
"""The tenant of the path, for whoever may read its events."""

_EXAMPLE: Final = {
    "events": [
        {
            "log.position": "0000000000100001",
            "@timestamp": "2026-11-23T16:51:50.932Z",
            "event.id": "7d9e31cf-bbed-4a2e-9ff6-1fd70b9f5136",
            "event.action": "login_error",
            "event.outcome": "failure",
            "event.reason": "invalid_user_credentials",
            "event.provider": "keycloak",
            "user.name": "user001@globex.example",
            "source.ip": "203.0.113.152",
            "idp": {"type": "LOGIN_ERROR"},
        }
    ],
    "next": "k8QMFp1xQ7Yx",
    "indexed_up_to": "0000000000200000",
}
EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events as flat ECS objects", "content": {"application/json": {"example": _EXAMPLE}}}
}


async def question(
    q: Annotated[str, Query(description="Lucene syntax", examples=["event.action:login_error AND source.ip:203.0.113.0/24"])] = "",
    since: Annotated[str, Query(description="From this time on: ISO 8601 with a zone, or as `now-1h`", examples=["now-24h"])] = "",
    until: Annotated[str, Query(description="Before this time")] = "",
) -> Question:
    """What is asked for."""
    return Question(q, since, until)


Asked = Annotated[Question, Depends(question)]
"""The question of the query parameters."""
Limit = Annotated[int, Query(ge=1, le=1000, description="Events of one page at most")]


def still(running: Platform, by: Principal, scope: TenantScope) -> None:
    """Returns if an answer that is under way may go on.

    Raises:
        Refused: the token has expired or was revoked, or the tenant was deleted.
    """
    holder = running.tokens.by_id(by.id.partition(":")[2], running.now())
    if holder is None:
        raise Unauthenticated("the token of this answer has expired or was revoked; ask again with another one")
    holder.enter(scope.tenant, Scope.EVENTS_READ, running.tenants.exists)


def page_of(request: Request, hits: Iterable[Hit], following: str | None, fresh: str) -> Response:
    """The answer with these events, the cursor of the next ones, and the position up to which it is complete."""
    # The documents were encoded once, in the router; here they are only joined.
    events = b",".join(hit.document for hit in hits)
    tail = msgspec.json.encode({"next": following, "indexed_up_to": fresh})
    headers = {"Cache-Control": "no-store"}
    if following is not None:
        parameters = urlencode([*((name, value) for name, value in request.query_params.items() if name != "after"), ("after", following)])
        headers["Link"] = f'<{request.url.path}?{parameters}>; rel="next"'
    return Response(b'{"events":[' + events + b"]," + tail[1:], media_type="application/json", headers=headers)


def details_of(asked: Question, **more: object) -> dict[str, object]:
    """What the tenant's log says of the question: what was given of it."""
    details = {"q": asked.q, "since": asked.since, "until": asked.until, **more}
    return {name: value for name, value in details.items() if value not in {None, ""}}
