"""The route of a tenant's tail: page by page, or as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import format_sse_event

from services.access.principal import Principal
from services.api import problems
from services.api.asking import EVENTS, Asked, Limit, Reader, details_of, page_of, still
from services.api.edge import ThePlatform, ThePrincipal, client_ip
from services.api.streamed import PART_BYTES, Streamed
from services.errors import Invalid, Refused
from services.events.live_tails import News
from services.events.search import Question
from services.events.tail import Tail, is_bare
from services.platform import Platform
from streams.errors import ControlError, QueryError
from streams.scope import TenantScope
from streams.search_index import Hit

router = APIRouter(tags=["events"])
HEARTBEAT_SECONDS: Final = 15.0
"""Proxies take a connection for dead that says nothing for a minute or less."""
_STREAM: Final = "text/event-stream"
_RETRY_MS: Final = 2000
_EXAMPLE: Final = """\
retry: 2000
id: k8QMFp1xQ7Yx

data: {"log.position": "0000000000100001", "event.action": "login_error"}
id: 9sVxq0RtTzLo

: heartbeat
id: 2hWc7yPnKe4d

"""
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": EVENTS[200]["description"], "content": {**EVENTS[200]["content"], _STREAM: {"example": _EXAMPLE}}}
}


@router.get("/v1/tenants/{tenant}/events/tail", summary="Reads the log on, by position", responses=_ANSWERS)
async def tail(
    request: Request,
    scope: Reader,
    asked: Asked,
    running: ThePlatform,
    by: ThePrincipal,
    limit: Limit = 100,
    after: Annotated[
        str, Query(description="The `next` or `id` of an earlier answer, a `log.position`, or `latest`; empty: the beginning")
    ] = "",
    last_event_id: Annotated[str | None, Header(description="Of a stream that was cut: goes before `after`")] = None,
) -> Response:
    """Events in the order of the log. Asking again with `next` skips nothing and repeats nothing; `next` is never null.

    With `Accept: text/event-stream` the answer goes on as events arrive (`limit` is for pages). Each event has an `id`: a client that
    connects again with the last one as `Last-Event-ID`, as browsers do by themselves, goes on behind it, and gets every event once. An
    `id` without data moves on over what the question does not find. An event of the type `problem` tells what keeps the stream from
    going on, as problem details; it tries on, unless the token has ended or the question can't be answered any more. That it goes on is
    told by the next event, or by one of the type `recovered`.
    """
    if _STREAM not in request.headers.get("accept", "").lower():
        now = running.now()
        page = await running.search.tail(scope, asked, now=now, limit=limit, after=after)
        if is_bare(after):  # the beginning of a tail, not every poll, which would be an event for the next one
            await running.audit.record(scope, "events_tailed", by, now, details=details_of(asked), ip=client_ip(request))
        return page_of(request, page.hits, page.next, page.indexed_up_to)
    if "limit" in request.query_params:
        raise Invalid("`limit` is for pages; a stream goes on for as long as somebody listens")
    going_on = last_event_id or after
    return await live(request, running, scope, asked, by, going_on, lambda: still(running, by, scope))


def _document(hit: Hit) -> str:
    return hit.document.decode()


async def live(
    request: Request,
    running: Platform,
    scope: TenantScope,
    question: Question,
    by: Principal,
    after: str,
    check: Callable[[], object],
    data: Callable[[Hit], str] = _document,
    told: Mapping[str, object] | None = None,
) -> Response:
    """A stream of the events behind `after`, once whoever asks for it is known.

    Args:
        request: what is answered.
        running: the platform.
        scope: the tenant.
        question: what the events must match.
        by: who asks, for the tenant's log.
        after: as in `Search.tail`; a `Last-Event-ID` goes before what the address says.
        check: asked now and then; it raises `Refused` when the stream must end.
        data: what the stream says of an event; by default its document. It is called in threads.
        told: what else the tenant's log says of the beginning.

    Raises:
        TooMany: there are as many streams as there may be.
        QueryError: the question is not right.
        CursorError: `after` is nothing that can be gone on from.
    """
    async with AsyncExitStack() as held:
        held.enter_context(running.live_tails.enter(scope))
        now = running.now()
        following = await running.search.tailing(scope, question, now=now, after=after)
        news = running.live_tails.follow(following, check)
        held.push_async_callback(news.aclose)
        begun = following.cursor()
        first = await anext(news, News())  # before the answer begins, so that what is wrong with the question is a 400
        if is_bare(after):
            details = details_of(question, stream=True, **(told or {}))
            await running.audit.record(scope, "events_tailed", by, now, details=details, ip=client_ip(request))
        # Nginx would hold back what is small otherwise.
        return Streamed(
            _frames(following, begun, first, news, data), held.pop_all(), media_type=_STREAM, headers={"X-Accel-Buffering": "no"}
        )
    raise AssertionError("the stack swallows nothing")


async def _frames(
    tail: Tail, begun: str, first: News, news: AsyncGenerator[News, None], data: Callable[[Hit], str]
) -> AsyncGenerator[bytes, None]:
    # The first id comes before any event: a client that is cut off while it waits for the first one must not begin later again.
    yield format_sse_event(id=begun, retry=_RETRY_MS)
    try:
        async for part in _written(tail, first, data):
            yield part
        del first  # see `LiveTails.follow`
        async with aclosing(_beating(news, HEARTBEAT_SECONDS)) as beating:
            async for one in beating:
                if one is None:
                    # With a heartbeat, what was read and not found is passed over by the next connection, too.
                    yield format_sse_event(comment="heartbeat", id=tail.cursor())
                    continue
                if not one.hits and one.trouble is None:
                    yield format_sse_event(event="recovered", data_str="{}")
                async for part in _written(tail, one, data):
                    yield part
                del one
    except (Refused, QueryError, ControlError) as error:  # what no further attempt would mend
        yield told_problem(error)


async def _written(tail: Tail, news: News, data: Callable[[Hit], str]) -> AsyncGenerator[bytes, None]:
    """The news in parts of about `PART_BYTES`, each made when it is asked for, and in a thread: a row is small, its event may be large."""
    parts = _parts(tail, news, data)
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part


def _parts(tail: Tail, news: News, data: Callable[[Hit], str]) -> Iterator[bytes]:
    if news.trouble is not None:
        yield told_problem(news.trouble)
    part = bytearray()
    for hit in news.hits:
        part += format_sse_event(data_str=data(hit), id=tail.cursor(hit.position))
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def told_problem(error: Exception) -> bytes:
    """The event that tells what keeps a stream from going on."""
    return format_sse_event(event="problem", data_str=msgspec.json.encode(problems.described(error)).decode())


async def _beating(news: AsyncGenerator[News, None], seconds: float) -> AsyncGenerator[News | None, None]:
    """The news, and None whenever there have been none for so long. While it waits it holds none."""
    coming = asyncio.create_task(_next(news))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield None
            elif (one := coming.result()) is None:
                return
            else:
                yield one
                del one, done  # the last that hold it, with the task
                coming = asyncio.create_task(_next(news))
    finally:
        coming.cancel()
        await asyncio.wait({coming})


async def _next(news: AsyncGenerator[News, None]) -> News | None:
    return await anext(news, None)
