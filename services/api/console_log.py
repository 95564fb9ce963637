"""A look at a tenant's log: the page of events, their histogram and top values, asked for and audited as through the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboards.console.asked import FROM_PROVIDERS, Asked
from dashboards.console.columns import columns, existing, named
from dashboards.console.frame import HOME
from dashboards.console.histogram import Chart, chart
from dashboards.console.log_page import TOP_FIELDS, LogPage, Problem, Top
from dashboards.console.rows import Row
from dashboards.console.times import PRESETS, interval, preset
from services.access.principal import Principal
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor, known, page_of, to
from services.api.edge import ThePlatform, client_ip, platform
from services.errors import Unauthenticated
from services.events.search import Page, Question, moment
from services.platform import Platform
from streams import position as positions
from streams.errors import QueryError
from streams.event import iso
from streams.event_log import TENANT_LOG
from streams.scope import TenantScope
from streams.search_index import Hit, Values

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
ROWS: Final = 50
_VALUES: Final = 6


async def _asked(
    tenant: str,
    q: str = "",
    range: str = "",  # noqa: A002 -- its name in URLs
    since: str = "",
    until: str = "",
    own: str = "",
    columns: str = "",
) -> Asked:
    return Asked(tenant, q.strip(), range, since.strip(), until.strip(), bool(own), columns.strip())


WhatIsAsked = Annotated[Asked, Depends(_asked)]
"""What the address asks of the log: the same of the page, and of what belongs to it."""


@router.api_route(HOME + "/{tenant}", methods=["GET", "HEAD"])
async def log(
    request: Request,
    running: ThePlatform,
    who: TheVisitor,
    asked: WhatIsAsked,
    after: str = "",
    column: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """The tenant's log. A form names its columns one by one, and is sent on to the address that names them in short."""
    scope = who.principal.enter(asked.tenant, Scope.EVENTS_READ, running.tenants.exists)
    if column is not None:
        return to(asked.path(columns=named(column)))
    try:
        page = await look(running, scope, asked, after, by=who.principal, ip=client_ip(request))
    except QueryError as error:
        page = LogPage(asked=asked, now=running.now(), problem=Problem.of(error, asked.q), columns=existing(asked.columns))
        return page_of(request, page, who, asked.tenant, status=400)
    return page_of(request, page, who, asked.tenant)


async def look(running: Platform, scope: TenantScope, asked: Asked, after: str, *, by: Principal, ip: str | None) -> LogPage:
    """What the page shows. The search is in the tenant's log when this returns, except for further pages of the same one.

    Raises:
        QueryError: the question is not right.
        CursorError: `after` is no cursor of this search.
    """
    now = running.now()
    # Alone, so that what it lacks is not found in the conditions that stand behind it.
    Question(asked.q, asked.since, asked.until).query(now)
    shown = columns(asked.columns)
    if not asked.exact and preset(asked.range) is None:
        asked = replace(asked, range=await _default(running, scope, now))
    question = question_of(asked)
    search = running.search
    paging = search.page(scope, question, now=now, sort="newest", limit=ROWS, after=after or None)
    if after:
        page = await paging
        rows, older = await _table(asked, page, shown)
        return LogPage(asked=asked, now=now, columns=shown, rows=rows, older=older, later=True)

    async def top(*fields: str) -> Values:
        return await search.top_values(scope, question, now=now, by=fields, size=_VALUES)

    # At once, and half of the fields each: a large log has work for several cores.
    page, found, more = await asyncio.gather(paging, top(*TOP_FIELDS[::2]), top(*TOP_FIELDS[1::2]))

    async def record() -> bool:
        """In the log now; whether anything else was on its way into the index, which what is recorded here will be, too."""
        behind = await _behind(running, scope)
        words = {"q": asked.q, "since": question.since, "until": question.until, "via": "console"}
        details = {**{name: value for name, value in words.items() if value}, "found": found.total}
        await running.audit.record(scope, "events_searched", by, now, details=details, ip=ip)
        return behind

    # One waits for the disk, one for a core, one for the index.
    behind, (rows, older), picture = await asyncio.gather(
        record(), _table(asked, page, shown), _chart(running, scope, question, found, now)
    )
    silent = not page.hits and not asked.q and not await search.count(scope, Question(FROM_PROVIDERS), now=now)
    values = {**found.buckets, **more.buckets} if page.hits else {}
    return LogPage(
        asked=asked,
        now=now,
        columns=shown,
        rows=rows,
        chart=picture,
        tops=tuple(Top.of(asked, field, values[field], found.total) for field in TOP_FIELDS if field in values),
        older=older,
        silent=silent,
        behind=behind,
        live=None if question.until else asked.tail(page.indexed_up_to),
        fixed=_fixed(asked, question, now),
    )


def question_of(asked: Asked) -> Question:
    """The question that a page asks: of all of the log, if it names no times."""
    if asked.exact:
        return Question(asked.narrow, asked.since, asked.until)
    chosen = preset(asked.range)
    return Question(asked.narrow, chosen.since if chosen is not None else "")


def still_signed_in(request: Request, tenant: str) -> Callable[[], None]:
    """What tells whether an answer that is under way may go on: it raises `Refused` once the session, its token or the tenant is gone."""

    def check() -> None:
        who = known(request)
        if who is None:
            raise Unauthenticated("the session has ended; sign in again")
        who.principal.enter(tenant, Scope.EVENTS_READ, platform(request).tenants.exists)

    return check


async def _table(asked: Asked, page: Page, columns: tuple[str, ...]) -> tuple[tuple[Row, ...], str | None]:
    """The rows of the table, and the page of the next ones, if there are any."""
    # In a thread: the events of a page may have megabytes.
    rows = await asyncio.to_thread(_rows, asked.tenant, page.hits, columns)
    return rows, asked.path(after=page.next) if page.next is not None else None


def _rows(tenant: str, hits: Sequence[Hit], columns: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple(Row.of(tenant, json.loads(hit.document), columns) for hit in hits)


def _fixed(asked: Asked, question: Question, now: int) -> str | None:
    """The page with its times as they are now; None if they are so already."""
    since = iso(moment("since", question.since, now)) if question.since else ""
    until = iso(moment("until", question.until, now)) if question.until else iso(now)
    moves = not question.until or any(text.startswith("now") for text in (question.since, question.until))
    return asked.path(since=since, until=until) if moves else None


async def _default(running: Platform, scope: TenantScope, now: int) -> str:
    """The shortest preset in which an identity provider has sent anything: our own events are always recent."""
    for one in PRESETS:
        if one.since and await running.search.count(scope, Question(FROM_PROVIDERS, one.since), now=now):
            return one.name
    return PRESETS[-1].name


async def _chart(running: Platform, scope: TenantScope, question: Question, found: Values, now: int) -> Chart | None:
    """The histogram over what was asked for, or over what was found where no end was given; None if nothing was found."""
    if not found.total:
        return None
    last = moment("until", question.until, now) - 1 if question.until else max(found.last, now if question.since else 0)
    first = min(moment("since", question.since, now) if question.since else found.first, last)
    each, _ = interval(first, last)
    counts = await running.search.histogram(scope, question, now=now, interval=each)
    return chart(first, last, dict(counts.buckets), counts.failures)


async def _behind(running: Platform, scope: TenantScope) -> bool:
    """Whether an event of the tenant is in its log and not yet in its index."""
    done = await running.processor.indexed_up_to(scope)
    return bool(await running.log.read(TENANT_LOG, key=scope.tenant, start=positions.offset_of(done) + 1, limit=1))
