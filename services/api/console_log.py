"""A look at a tenant's log: the page of events, their histogram and top values, asked for and audited as through the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dashboards.console.histogram import Chart, chart
from dashboards.console.log_page import FAILURES, FROM_PROVIDERS, TOP_FIELDS, Asked, LogPage, Row, Top
from dashboards.console.times import PRESETS, interval, preset
from services.access.principal import Principal
from services.events.search import Question, moment
from services.platform import Platform
from streams import position as positions
from streams.errors import QueryError
from streams.event_log import TENANT_LOG
from streams.scope import TenantScope
from streams.search_index import Hit

ROWS: Final = 50
_VALUES: Final = 6


async def look(running: Platform, scope: TenantScope, asked: Asked, after: str, *, by: Principal, ip: str | None) -> LogPage:
    """What the page shows. The search is in the tenant's log when this returns, except for further pages of the same one.

    Raises:
        QueryError: the question is not right.
        CursorError: `after` is no cursor of this search.
    """
    now = running.now()
    # Alone, so that what it lacks is not found in the conditions that stand behind it.
    Question(asked.q, asked.since, asked.until).query(now)
    if not asked.exact and preset(asked.range) is None:
        asked = replace(asked, range=await _default(running, scope, now))
    question = _question(asked)
    page = await running.search.page(scope, question, now=now, sort="newest", limit=ROWS, after=after or None)
    rows = tuple(Row.of(scope.tenant, json.loads(hit.document)) for hit in page.hits)
    older = asked.path(after=page.next) if page.next is not None else None
    if after:
        return LogPage(asked=asked, now=now, rows=rows, older=older, later=True)
    silent = not page.hits and not asked.q and not await running.search.count(scope, Question(FROM_PROVIDERS), now=now)
    picture = await _chart(running, scope, question, page.hits, now)
    tops = await asyncio.gather(
        *(running.search.top_values(scope, question, now=now, by=field, size=_VALUES) for field in TOP_FIELDS if page.hits)
    )
    behind = await _behind(running, scope)
    words = {"q": asked.q, "since": question.since, "until": question.until, "via": "console"}
    details = {**{name: value for name, value in words.items() if value}, "found": picture.total if picture is not None else 0}
    await running.audit.record(scope, "events_searched", by, now, details=details, ip=ip)
    return LogPage(
        asked=asked,
        now=now,
        rows=rows,
        chart=picture,
        tops=tuple(Top.of(asked, field, values.buckets) for field, values in zip(TOP_FIELDS, tops, strict=False)),
        older=older,
        silent=silent,
        behind=behind,
    )


def _question(asked: Asked) -> Question:
    if asked.exact:
        return Question(asked.narrow, asked.since, asked.until)
    chosen = preset(asked.range)
    return Question(asked.narrow, chosen.since if chosen is not None else "")


async def _default(running: Platform, scope: TenantScope, now: int) -> str:
    """The shortest preset in which an identity provider has sent anything: our own events are always recent."""
    for one in PRESETS:
        if one.since and await running.search.count(scope, Question(FROM_PROVIDERS, one.since), now=now):
            return one.name
    return PRESETS[-1].name


async def _chart(running: Platform, scope: TenantScope, question: Question, newest: Sequence[Hit], now: int) -> Chart | None:
    """The histogram over what was asked for, or over what was found where no end was given; None if nothing was found."""
    if not newest:
        return None
    last = moment("until", question.until, now) - 1 if question.until else max(newest[0].time, now if question.since else 0)
    if question.since:
        first = moment("since", question.since, now)
    else:
        oldest = await running.search.page(scope, question, now=now, sort="oldest", limit=1, after=None)
        first = oldest.hits[0].time if oldest.hits else last
    first = min(first, last)
    each, _ = interval(first, last)
    counts = await running.search.histogram(scope, question, now=now, interval=each)
    failed = Question(f"{question.q} {FAILURES}".strip(), question.since, question.until)
    try:
        failures = dict((await running.search.histogram(scope, failed, now=now, interval=each)).buckets)
    except QueryError:  # with one more condition, a very long question is too long
        failures = {}
    return chart(first, last, dict(counts.buckets), failures)


async def _behind(running: Platform, scope: TenantScope) -> bool:
    """Whether an event of the tenant is in its log and not yet in its index."""
    done = await running.processor.indexed_up_to(scope)
    return bool(await running.log.read(TENANT_LOG, key=scope.tenant, start=positions.offset_of(done) + 1, limit=1))
