"""Routes of a tenant's events: search, one, counts, ingest."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from services.access.scopes import Scope
from services.api.any_text import EVENT
from services.api.asking import EVENTS, Asked, Limit, Reader, details_of, page_of
from services.api.edge import TheOperator, ThePlatform, ThePrincipal, client_ip, needs
from services.api.models import Bucket, CountsAnswer, IngestAnswer
from services.errors import Invalid, NotFound, TooLarge
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["events"])
MAX_BODY: Final = 10_000_000
"""Bytes of one ingest request."""
_NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_JSON: Final = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"})

_Writer = Annotated[TenantScope, Depends(needs(Scope.EVENTS_WRITE))]
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]


@router.get("/v1/tenants/{tenant}/events", summary="Searches the log", responses=EVENTS)
async def search(
    request: Request,
    scope: Reader,
    asked: Asked,
    running: ThePlatform,
    by: ThePrincipal,
    limit: Limit = 100,
    sort: Annotated[Literal["newest", "oldest"], Query(description="Which events come first, by `@timestamp`")] = "newest",
    after: Annotated[str | None, Query(description="The `next` of an earlier answer")] = None,
) -> Response:
    """Events by time. Late events may sort into pages that were read already: who must see everything tails instead."""
    now = running.now()
    page = await running.search.page(scope, asked, now=now, sort=sort, limit=limit, after=after)
    if after is None:  # one search, however many pages
        details = details_of(asked, found=len(page.hits))
        await running.audit.record(scope, "events_searched", by, now, details=details, ip=client_ip(request))
    return page_of(request, page.hits, page.next, page.indexed_up_to)


@router.get("/v1/tenants/{tenant}/events/counts", summary="Counts events, by value or by time")
async def counts(
    request: Request,
    scope: Reader,
    asked: Asked,
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
        values = await running.search.top_values(scope, asked, now=now, by=(by,), size=size)
        total, buckets = values.total, [Bucket(value=value, count=count) for value, count in values.buckets[by]]
    elif interval is not None:
        histogram = await running.search.histogram(scope, asked, now=now, interval=interval)
        total, buckets = histogram.total, [Bucket(value=iso(start), count=count) for start, count in histogram.buckets]
    else:
        total = await running.search.count(scope, asked, now=now)
    details = details_of(asked, by=by, interval=interval, found=total)
    await running.audit.record(scope, "events_counted", by_principal, now, details=details, ip=client_ip(request))
    return CountsAnswer(total=total, buckets=buckets, indexed_up_to=fresh)


@router.get(EVENT, summary="Shows one event")
async def one(
    event_id: str,
    request: Request,
    scope: Reader,
    running: ThePlatform,
    by: ThePrincipal,
    id: Annotated[str, Query(description="The id, if `event_id` is `-`")] = "",  # noqa: A002
) -> Response:
    """The event with this `event.id`.

    What can't be the end of a path goes into the query, as in `events/-?id=..`: `.` and `..`, which clients resolve, and `counts`,
    `export` and `tail`, which are other questions.
    """
    if id and event_id != "-":
        raise Invalid("id: belongs to events/-; leave it out, where the path says which event")
    identifier = id or event_id
    hit = await running.search.one(scope, identifier)
    if hit is None:
        raise NotFound(f"there is no event {identifier[:200]!r} in this log, or it is not indexed yet")
    await running.audit.record(scope, "event_read", by, running.now(), details={"event.id": identifier[:512]}, ip=client_ip(request))
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
    """Answers when what was taken is in the log. Every event is judged alone; one that names another tenant is refused.

    Of a 503 it may not be known whether the events were taken. Send them again with the same `Idempotency-Key`: none comes twice.
    """
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
