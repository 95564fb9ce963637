"""What the search box of the log completes: the query language's fields, and values from the tenant's own log."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from dashboards.console import completion
from dashboards.console.asked import Asked
from dashboards.console.completion import Choice, Typed
from dashboards.console.frame import HOME
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor
from services.api.console_log import WhatIsAsked, question_of
from services.api.edge import ThePlatform, client_ip
from services.events.search import Question
from services.platform import Platform
from streams.errors import QueryError
from streams.fields import BY_NAME, FieldType
from streams.query.flat import leaves, texts_at
from streams.scope import TenantScope
from streams.search_index import Hit

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_OBJECT: Final = "idp"
_VALUES: Final = 200
"""Of the most frequent values; what was typed is looked for in them. Rarer ones are found by how they begin."""
_SAMPLE: Final = 50
"""Newest events whose own objects are looked into: an index can't list their paths."""
_LOOKED_AT: Final = 1000
"""Values that are looked at in one of their objects, which may have a million bytes; and there is a sample at each key."""
_LONGEST: Final = 200
"""Characters of a value that is worth a line in a list."""
_BEGINNING: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


@router.get(HOME + "/{tenant}/log/completion")
async def complete(
    request: Request, running: ThePlatform, who: TheVisitor, asked: WhatIsAsked, at: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """What can stand where the cursor is, before the character `at` of `q`; within the times of the page, whatever else it asks."""
    scope = who.principal.enter(asked.tenant, Scope.EVENTS_READ, running.tenants.exists)
    # Not `asked.q`, which is stripped: places are those of the text as it was typed.
    typed = completion.typed(request.query_params.get("q", ""), at)
    session = who.session
    session.completions += 1
    mine = session.completions
    async with session.completing:  # one at a time
        choices: tuple[Choice, ...] = ()
        # Whoever has typed on while this one waited looks at the newest list only.
        if typed is not None and mine == session.completions:
            with suppress(QueryError):  # of the times, which the page itself complains of
                choices = await _choices(request, running, scope, who, asked, typed)
    start, end = (typed.start, typed.end) if typed is not None else (at, at)
    # In ASCII: what the source itself sent may hold halves of pairs, which are no UTF-8.
    answer = json.dumps({"start": start, "end": end, "choices": [choice.shown() for choice in choices]})
    return Response(answer, media_type="application/json")


async def _choices(request: Request, running: Platform, scope: TenantScope, who: Visitor, asked: Asked, typed: Typed) -> tuple[Choice, ...]:
    """The choices; those that need no search cost nothing, and are there for everybody at any time.

    Raises:
        TooMany: the tenant's sessions ask for as many at once as they may. The script of the page then says that there are none just now.
        QueryError: the times are not right.
    """
    name = typed.field
    if name is None and not typed.text.startswith(f"{_OBJECT}."):
        return completion.fields(typed.text)
    kind = completion.kind(name) if name is not None else FieldType.FLAT
    if kind is FieldType.DATE:
        return completion.dates(typed)
    if kind is not FieldType.FLAT and (name is None or name not in BY_NAME or not BY_NAME[name].countable):
        return ()
    # Of one's own events too, if it is their provider that is asked for.
    everything = question_of(replace(asked, q="event.provider:*" if name == "event.provider" else ""))
    with running.completions.take(scope):
        await _audit(request, running, scope, who, name if kind is not FieldType.FLAT and name is not None else _OBJECT)
        if kind is FieldType.FLAT or name is None:
            found = await _sampled(running, scope, everything, name)
            return completion.paths(typed.text, found) if name is None else completion.values(typed, found)
        return completion.values(typed, await _top(running, scope, everything, name, typed.text, kind))


async def _top(
    running: Platform, scope: TenantScope, everything: Question, field: str, text: str, kind: FieldType | None
) -> Sequence[tuple[str, int]]:
    """The field's most frequent values, and those that begin with the text, which may be rare."""
    now = running.now()
    asked = [everything]
    if kind is FieldType.KEYWORD and _BEGINNING.fullmatch(text):
        asked.append(replace(everything, q=f"{everything.q} {field}:{text}*".strip()))
    found = await asyncio.gather(*(running.search.top_values(scope, question, now=now, by=(field,), size=_VALUES) for question in asked))
    counts = {value: count for values in found for value, count in values.buckets[field] if len(value) <= _LONGEST}
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


async def _sampled(running: Platform, scope: TenantScope, everything: Question, path: str | None) -> Sequence[tuple[str, int]]:
    """The paths that the newest events have in their own objects, or, of one path, the values."""
    page = await running.search.page(scope, everything, now=running.now(), sort="newest", limit=_SAMPLE, after=None)
    return await asyncio.to_thread(_counted, page.hits, path)


def _counted(hits: Iterable[Hit], path: str | None) -> Sequence[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for hit in hits:
        own = json.loads(hit.document).get(_OBJECT)
        found = texts_at({_OBJECT: own}, path, _LOOKED_AT) if path is not None else (at for at, _ in leaves(own, _OBJECT, _LOOKED_AT))
        counts.update({text for text in found if len(text) <= _LONGEST})
    return counts.most_common()


async def _audit(request: Request, running: Platform, scope: TenantScope, who: Visitor, field: str) -> None:
    """Whose values somebody was told is in the tenant's log: once a session, for this is asked at each key."""
    if (scope.tenant, field) in who.session.counted:
        return
    details = {"by": field, "via": "console"}
    await running.audit.record(scope, "events_counted", who.principal, running.now(), details=details, ip=client_ip(request))
    who.session.counted.add((scope.tenant, field))
