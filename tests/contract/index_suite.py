"""What the parts of the contract of `SearchIndex` share: tenants, events, and how an index is filled and read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
import pytest

from streams.event import iso
from streams.query.tree import MatchAll, Query
from streams.scope import TenantScope
from streams.search_index import Entry, Hit, Place, SearchIndex, Sort
from tests.contract.random_events import START

ACME = TenantScope("acme")
GLOBEX = TenantScope("globex")
ALL = MatchAll()


def event(number: int, *, time: int | None = None, **more: Any) -> Entry:
    """An entry: the event e<number> at position <number>; `user_name="x"` sets `user.name`."""
    time = START + number if time is None else time
    document = {"@timestamp": iso(time), "event.id": f"e{number}", "idp": {}} | {
        name.replace("_", ".", 1): value for name, value in more.items()
    }
    return Entry(number, f"e{number}", time, msgspec.json.encode(document))


def ids(hits: Iterable[Hit]) -> list[str]:
    return [msgspec.json.decode(hit.document)["event.id"] for hit in hits]


class IndexSuite:
    """A part of the suite. Subclasses give `index`: one without tenants."""

    @pytest.fixture
    def index(self) -> AsyncIterator[SearchIndex]:
        raise NotImplementedError

    async def fill(self, index: SearchIndex, batch: Sequence[Entry], scope: TenantScope = ACME) -> None:
        await index.prepare(scope)
        await index.write({scope: batch})
        await index.refresh(scope)

    async def pages(self, index: SearchIndex, query: Query, sort: Sort, limit: int, scope: TenantScope = ACME) -> list[Hit]:
        """All pages of a search, one behind the other."""
        found: list[Hit] = []
        page = await index.search(scope, query, sort=sort, limit=limit)
        while page:
            assert len(page) <= limit
            found += page
            page = await index.search(scope, query, sort=sort, limit=limit, after=Place(page[-1].time, page[-1].position))
        return found
