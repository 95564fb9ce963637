"""Prefixes longer than OpenSearch takes, which is some 950 bytes.

Hardly anybody asks so, and hardly an event begins so: the events that begin like the first part are looked at one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec

from streams.errors import QueryError
from streams.fields import trim
from streams.index_opensearch.questions import Questions
from streams.index_opensearch.schema import LEAVES
from streams.index_opensearch.translate import Asked, raw
from streams.query.evaluate import matches
from streams.query.tree import And, Not, Or, Prefix, Query

_MAX_BYTES: Final = 900
"""Of a field's name and the prefix; OpenSearch takes 1,000 less its own additions."""
_MAX_CHARACTERS: Final = 200
_MAX_EVENTS: Final = 1_000


async def found(questions: Questions, query: Query) -> dict[Query, Asked]:
    """The long prefixes of a query, as the ids of the events that begin so.

    Raises:
        QueryError: too many events begin like the first part, or the field's own name is too long.
    """
    return {prefix: {"ids": {"values": await _ids(questions, prefix)}} for prefix in _long(query)}


def _long(query: Query) -> Iterator[Prefix]:
    match query:
        case Prefix(field, value) if len(field) + len(value) > _MAX_CHARACTERS and len(f"{field}{trim(value)}".encode()) > _MAX_BYTES:
            yield query
        case And(parts) | Or(parts):
            for part in parts:
                yield from _long(part)
        case Not(part):
            yield from _long(part)
        case _:
            pass


async def _ids(questions: Questions, prefix: Prefix) -> list[str]:
    if len(prefix.field.encode()) > _MAX_BYTES // 2:
        raise QueryError("the path before a `*` is too long", hint="ask for the whole value")
    where = raw(prefix.field)
    wanted = Prefix(where, prefix.value)  # of a path, the indexed form has the name that terms have, and the plain form no other
    some = {"prefix": {where: {"value": prefix.value[: (_MAX_BYTES // 2 - 50) // 4]}}}
    begun, ids = 0, []
    # Of each page nothing is kept but ids: events may have a megabyte, but hardly any of it is in the field.
    async for page in questions.each(some, [LEAVES if where.startswith(f"{LEAVES}.") else where]):
        begun += len(page)
        if begun > _MAX_EVENTS:
            raise QueryError(
                f"more than {_MAX_EVENTS} events begin like the first part of a value of {len(prefix.value)} characters",
                hint="write less of it before the `*`, or the whole value",
            )
        for one in page:
            if matches(wanted, msgspec.json.decode(one.source)):
                ids.append(one.id)
            await asyncio.sleep(0)  # the source's object may be long to decode
    return ids
