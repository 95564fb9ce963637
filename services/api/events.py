"""Routes of a tenant's events: search, one, counts, tail, export, ingest."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from services.access.scopes import Scope
from services.api.edge import TheOperator, ThePlatform, ThePrincipal, client_ip, needs
from services.api.models import Bucket, CountsAnswer, IngestAnswer
from services.errors import Invalid, NotFound, TooLarge
from services.events.search import Question, is_bare
from streams.event import iso
from streams.scope import TenantScope
from streams.search_index import Hit

router = APIRouter(tags=["events"])
MAX_BODY: Final = 10_000_000
"""Bytes of one ingest request."""
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_JSON: Final = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"})

_Reader = Annotated[TenantScope, Depends(needs(Scope.EVENTS_READ))]
_Writer = Annotated[TenantScope, Depends(needs(Scope.EVENTS_WRITE))]
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]

_EVENTS_EXAMPLE: Final = {
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
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events as flat ECS objects", "content": {"application/json": {"example": _EVENTS_EXAMPLE}}}
}


async def question(
    q: Annotated[str, Query(description="Lucene syntax", examples=["event.action:login_error AND source.ip:203.0.113.0/24"])] = "",
    since: Annotated[str, Query(description="From this time on: ISO 8601 with a zone, or as `now-1h`", examples=["now-24h"])] = "",
    until: Annotated[str, Query(description="Before this time")] = "",
) -> Question:
    """What is asked for."""
    return Question(q, since, until)


_Question = Annotated[Question, Depends(question)]
_Limit = Annotated[int, Query(ge=1, le=1000, description="Events of one page at most")]


@router.get("/v1/tenants/{tenant}/events", summary="Searches the log", responses=_EVENTS)
async def search(
    request: Request,
    scope: _Reader,
    asked: _Question,
    running: ThePlatform,
    by: ThePrincipal,
    limit: _Limit = 100,
    sort: Annotated[Literal["newest", "oldest"], Query(description="Which events come first, by `@timestamp`")] = "newest",
    after: Annotated[str | None, Query(description="The `next` of an earlier answer")] = None,
) -> Response:
    """Events by time. Late events may sort into pages that were read already: who must see everything tails instead."""
    now = running.now()
    page = await running.search.page(scope, asked, now=now, sort=sort, limit=limit, after=after)
    if after is None:  # one search, however many pages
        details = _details(asked, found=len(page.hits))
        await running.audit.record(scope, "events_searched", by, now, details=details, ip=client_ip(request))
    return _page(request, page.hits, page.next, page.indexed_up_to)


@router.get("/v1/tenants/{tenant}/events/counts", summary="Counts events, by value or by time")
async def counts(
    request: Request,
    scope: _Reader,
    asked: _Question,
    running: ThePlatform,
    by_principal: ThePrincipal,
    by: Annotated[str | None, Query(description="A field", examples=["event.action"])] = None,
    interval: Annotated[str | None, Query(description="A histogram of `@timestamp`", examples=["1h"])] = None,
    size: Annotated[int, Query(ge=1, le=1000, description="Values at most, most frequent first")] = 100,
) -> CountsAnswer:
    """With `by` the most frequent values, with `interval` a histogram (empty intervals are left out), else the total alone."""
    if by is not None and interval is not None:
        raise Invalid("give `by` or `interval`, not both")
    now = running.now()
    fresh = await running.search.indexed_up_to(scope)
    buckets: list[Bucket] = []
    if by is not None:
        values = await running.search.top_values(scope, asked, now=now, by=by, size=size)
        total, buckets = values.total, [Bucket(value=value, count=count) for value, count in values.buckets]
    elif interval is not None:
        histogram = await running.search.histogram(scope, asked, now=now, interval=interval)
        total, buckets = histogram.total, [Bucket(value=iso(start), count=count) for start, count in histogram.buckets]
    else:
        total = await running.search.count(scope, asked, now=now)
    details = _details(asked, by=by, interval=interval, found=total)
    await running.audit.record(scope, "events_counted", by_principal, now, details=details, ip=client_ip(request))
    return CountsAnswer(total=total, buckets=buckets, indexed_up_to=fresh)


@router.get("/v1/tenants/{tenant}/events/tail", summary="Reads the log on, by position", responses=_EVENTS)
async def tail(
    request: Request,
    scope: _Reader,
    asked: _Question,
    running: ThePlatform,
    by: ThePrincipal,
    limit: _Limit = 100,
    after: Annotated[str, Query(description="The `next` of an earlier answer, a `log.position`, or `latest`; empty: the beginning")] = "",
) -> Response:
    """Events in the order of the log. Asking again with `next` skips nothing and repeats nothing; `next` is never null."""
    now = running.now()
    page = await running.search.tail(scope, asked, now=now, limit=limit, after=after)
    if is_bare(after):  # the beginning of a tail, not every poll, which would be an event for the next one
        await running.audit.record(scope, "events_tailed", by, now, details=_details(asked), ip=client_ip(request))
    return _page(request, page.hits, page.next, page.indexed_up_to)


@router.get("/v1/tenants/{tenant}/events/export", summary="Exports events as NDJSON")
async def export(
    request: Request,
    scope: _Reader,
    asked: _Question,
    running: ThePlatform,
    by: ThePrincipal,
    format: Annotated[Literal["ecs"], Query(description="The fields' names: flat ECS")] = "ecs",  # noqa: A002 -- the API's name
) -> StreamingResponse:
    """Every event that the question finds, one a line, in the order of the log, up to the moment of the request.

    An export that fails midway ends without its last chunk, which HTTP clients report as an error.
    """
    now = running.now()
    events = await running.search.export(scope, asked, now=now)
    await running.audit.record(scope, "events_exported", by, now, details=_details(asked, format=format), ip=client_ip(request))
    headers = {"Content-Disposition": f'attachment; filename="{scope.tenant}-events.ndjson"', "Cache-Control": "no-store"}
    return StreamingResponse(events, media_type="application/x-ndjson", headers=headers)


@router.get("/v1/tenants/{tenant}/events/{event_id:path}", summary="Shows one event")
async def one(event_id: str, request: Request, scope: _Reader, running: ThePlatform, by: ThePrincipal) -> Response:
    """The event with this `event.id`."""
    hit = await running.search.one(scope, event_id)
    if hit is None:
        raise NotFound(f"there is no event {event_id[:200]!r} in this log, or it is not indexed yet")
    await running.audit.record(scope, "event_read", by, running.now(), details={"event.id": event_id[:512]}, ip=client_ip(request))
    return Response(hit.document, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post(
    "/v1/tenants/{tenant}/events",
    summary="Takes events in",
    max_body_size=MAX_BODY,
    status_code=HTTPStatus.ACCEPTED,
    response_model=IngestAnswer,
    responses={422: {"description": "None could be taken; the answer says why, event by event"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
                "application/cloudevents+json": {"schema": {"type": "object"}},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
            },
        }
    },
)
async def ingest(
    request: Request,
    scope: _Writer,
    running: ThePlatform,
    source: Annotated[str | None, Query(description="The format; by default told by each event", examples=["keycloak"])] = None,
    idempotency_key: Annotated[str | None, Header(description="The same request with the same key again changes nothing")] = None,
) -> JSONResponse:
    """Answers when what was taken is in the log. Every event is judged alone; one that names another tenant is refused."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type not in _NDJSON | _JSON:
        raise Invalid(f"Content-Type {media_type!r} is not taken; send application/x-ndjson, application/json or CloudEvents JSON")
    if source is None and "cloudevents" in media_type:
        source = "cloudevents"
    body = await _body(request)
    lines = media_type in _NDJSON
    taken = await running.ingest.take(scope, body, lines=lines, source=source, key=idempotency_key, now=running.now())
    refused = [{"index": one.number, "reason": one.reason, "detail": one.detail} for one in taken.refused]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refused and not taken.taken else HTTPStatus.ACCEPTED
    return JSONResponse({"taken": taken.taken, "refused": refused}, status)


@router.post("/v1/tenants/{tenant}/events/rebuild", summary="Builds the search index anew from the log")
async def rebuild(scope: _Admin, running: ThePlatform, by: TheOperator) -> dict[str, int]:
    """Answers when the new index has taken the old one's place; searches go on meanwhile."""
    events = await running.catch_up.rebuild(scope)
    await running.audit.record(scope, "index_rebuilt", by, running.now(), details={"events": events})
    return {"events": events}


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise TooLarge(f"a request holds at most {MAX_BODY} bytes of events; send more of them one after another")
        parts.append(part)
    return b"".join(parts)


def _page(request: Request, hits: Iterable[Hit], following: str | None, fresh: str) -> Response:
    # The documents were encoded once, in the router; here they are only joined.
    events = b",".join(hit.document for hit in hits)
    tail = msgspec.json.encode({"next": following, "indexed_up_to": fresh})
    headers = {"Cache-Control": "no-store"}
    if following is not None:
        parameters = urlencode([*((name, value) for name, value in request.query_params.items() if name != "after"), ("after", following)])
        headers["Link"] = f'<{request.url.path}?{parameters}>; rel="next"'
    return Response(b'{"events":[' + events + b"]," + tail[1:], media_type="application/json", headers=headers)


def _details(asked: Question, **more: object) -> dict[str, object]:
    details = {"q": asked.q, "since": asked.since, "until": asked.until, **more}
    return {name: value for name, value in details.items() if value not in {None, ""}}
