"""Faults of an index, while tails read what it is given."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from streams.errors import IndexUnavailable
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Entry, Hit, SearchIndex, Written


class Faults:
    """An index that fails at first and now and then, in all that a tail depends on; what it does, it does for real.

    Attributes:
        met: how often each fault was.
    """

    def __init__(self, index: SearchIndex, monkeypatch: pytest.MonkeyPatch, seed: int, writes: float = 0.1) -> None:
        """From now on it fails, until the patches are undone. `writes` is the share of those that fail, and of those that are deferred."""
        self._chance = random.Random(seed)
        self.met: Counter[str] = Counter()
        tail, refresh, write = index.tail, index.refresh, index.write

        async def failing_tail(scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
            self._fail("tail", 0.2)
            return await tail(scope, query, after=after, upto=upto, limit=limit)

        async def failing_refresh(scope: TenantScope) -> None:
            self._fail("refresh", 0.1)
            await refresh(scope)

        async def failing_write(entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
            if self._meets("deferral", writes):  # only a part of what it is given: the rest must be found in its place
                done = await write({scope: part[::2] for scope, part in entries.items()})
                return {
                    scope: Written(done[scope].indexed, done[scope].duplicates, deferred=tuple(part), trouble="a test")
                    for scope, part in entries.items()
                }
            self._fail("write", writes)
            return await write(entries)

        for method in (failing_tail, failing_refresh, failing_write):
            monkeypatch.setattr(index, method.__name__.removeprefix("failing_"), method)

    def _meets(self, what: str, share: float) -> bool:
        met = what not in self.met or self._chance.random() < share
        self.met[what] += met
        return met

    def _fail(self, what: str, share: float) -> None:
        if self._meets(what, share):
            raise IndexUnavailable(f"a test lets {what} fail")
