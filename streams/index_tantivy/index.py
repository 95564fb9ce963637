"""The search index on tantivy: embedded, one directory per tenant."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import tantivy

from streams.errors import IndexMissing, IndexUnavailable
from streams.index_tantivy import questions
from streams.index_tantivy.opened import OpenedIndex, count, engine
from streams.index_tantivy.shelf import Shelf
from streams.index_tantivy.sizes import sizes
from streams.index_tantivy.writing import write
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Entry, Generation, Histogram, Hit, Place, SearchIndex, Size, Sort, Values, Written

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TantivyIndex(SearchIndex):
    """The port on tantivy.

    Args:
        root: the directory that holds one directory per tenant; made if it is not there.
        writers: how many tenants' writers are open at once; each is a thread.
        readers: how many tenants' indexes are open at once.
        heap: memory of a writer in bytes, 15 MB at least.
        searches: how many searches run at once.
    """

    def __init__(self, root: Path, *, writers: int = 8, readers: int = 64, heap: int = 20_000_000, searches: int = 4) -> None:
        self._root = root
        self._shelf = Shelf(root, readers=readers, writers=writers, heap=heap)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rebuilding: Counter[str] = Counter()
        self._searchers = ThreadPoolExecutor(searches, "tenantry-index-search")
        # One tenant's searches, however many and heavy, leave threads to the others.
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(max(1, searches // 2)))

    async def prepare(self, scope: TenantScope, *, pooled: bool = False) -> bool:  # noqa: ARG002 -- see below
        """See the port. Pooled or not, every tenant has a directory of its own here: one costs next to nothing."""
        async with self._locks[scope.tenant]:
            try:
                await self._shelf.present(scope.tenant)
            except IndexMissing:
                async with self._shelf.opening[scope.tenant]:
                    self._shelf.put(scope.tenant, await self._shelf.run(self._create, scope.tenant))
                return True
            return False

    def _create(self, tenant: str) -> OpenedIndex:
        self._shelf.clean(tenant)
        directory = self._shelf.directory(tenant)
        opened = OpenedIndex(directory.next(), create=True)
        directory.point(opened.path)
        return opened

    async def check(self, scope: TenantScope) -> None:
        """See the port."""
        await self._shelf.check(scope.tenant)

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        """See the port. Raises only if writing failed for every tenant: they share a disk, which is full or not."""
        answers = await asyncio.gather(*(self._write(scope, part) for scope, part in entries.items()), return_exceptions=True)
        written: dict[TenantScope, Written] = {}
        failed: list[IndexUnavailable] = []
        for (scope, part), answer in zip(entries.items(), answers, strict=True):
            if isinstance(answer, IndexUnavailable):
                failed.append(answer)
                written[scope] = _deferred(part, str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                written[scope] = answer
        if failed and len(failed) == len(entries):
            raise failed[0]
        return written

    async def _write(self, scope: TenantScope, entries: Sequence[Entry]) -> Written:
        if self._rebuilding[scope.tenant]:  # which would be a long wait
            return _deferred(entries, "its index is being built anew")
        async with self._locks[scope.tenant]:
            with self._shelf.pinned(scope.tenant):
                try:
                    opened = await self._shelf.present(scope.tenant)
                except (IndexMissing, IndexUnavailable) as error:
                    return _deferred(entries, str(error))
                return await write(self._shelf, opened, entries)

    async def refresh(self, scope: TenantScope) -> None:
        """See the port. Nothing to wait for: `write` returns when searches find what it wrote."""
        await self._shelf.present(scope.tenant)

    async def get(self, scope: TenantScope, event_id: str) -> Hit | None:
        """See the port."""
        opened = await self._shelf.present(scope.tenant)
        return await self._in_thread(questions.first, opened.searcher, opened.identity(event_id))

    async def search(
        self, scope: TenantScope, query: Query, *, sort: Sort = "newest", limit: int = 100, after: Place | None = None
    ) -> Sequence[Hit]:
        """See the port."""
        return await self._ask(scope, query, questions.search, sort=sort, limit=limit, after=after)

    async def tail(self, scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
        """See the port."""
        return await self._ask(scope, query, questions.tail, after=after, upto=upto, limit=limit)

    async def count(self, scope: TenantScope, query: Query) -> int:
        """See the port."""
        return await self._ask(scope, query, count)

    async def top_values(self, scope: TenantScope, query: Query, fields: Sequence[str], *, size: int = 10) -> Values:
        """See the port."""
        return await self._ask(scope, query, questions.top_values, fields, size)

    async def histogram(self, scope: TenantScope, query: Query, *, interval: int, offset: int = 0) -> Histogram:
        """See the port."""
        return await self._ask(scope, query, questions.histogram, interval=interval, offset=offset)

    async def positions(self, scope: TenantScope, ranges: Sequence[tuple[int, int]]) -> int:
        """See the port."""
        opened = await self._shelf.present(scope.tenant)
        return await self._in_thread(questions.in_ranges, opened.searcher, ranges)

    async def sizes(self) -> Mapping[str, Size]:
        """See the port. Two small files and a directory are read for each tenant, and no index is opened."""
        return await self._in_thread(sizes, self._root)

    async def _ask(
        self,
        scope: TenantScope,
        query: Query,
        question: Callable[Concatenate[tantivy.Searcher, tantivy.Query, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """The answer of a question about one tenant's events; tenants share nothing, so no query can reach another's."""
        opened = await self._shelf.present(scope.tenant)
        with engine():
            translated = opened.translate(query)
        async with self._turns[scope.tenant]:
            return await self._in_thread(question, opened.searcher, translated, *args, **kwargs)

    async def _in_thread(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        def guarded() -> _T:
            with engine():
                return question(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._searchers, guarded)

    def rebuild(self, scope: TenantScope, *, pooled: bool | None = None) -> AbstractAsyncContextManager[Generation]:  # noqa: ARG002
        """See the port; for `pooled` see `prepare`."""
        return self._deferring(scope.tenant)

    @asynccontextmanager
    async def _deferring(self, tenant: str) -> AsyncIterator[Generation]:
        self._rebuilding[tenant] += 1
        try:
            async with self._rebuild(tenant) as generation:
                yield generation
        finally:
            self._rebuilding[tenant] -= 1

    @asynccontextmanager
    async def _rebuild(self, tenant: str) -> AsyncIterator[Generation]:
        shelf, directory = self._shelf, self._shelf.directory(tenant)
        async with self._locks[tenant]:
            with suppress(IndexMissing):
                await shelf.present(tenant)
            opened = await shelf.run(lambda: OpenedIndex(directory.next(), create=True))
            before = None
            try:
                yield _NewGeneration(shelf, opened)
                await shelf.release(opened, whole=True)
                async with shelf.opening[tenant]:
                    await shelf.run(directory.point, opened.path)
                    before = shelf.put(tenant, opened)
            except BaseException:
                # The pointer tells which of the two it is now: an error may come as late as after its renaming.
                async with shelf.opening[tenant]:
                    before = shelf.forget(tenant)
                    await shelf.release(opened, whole=False)
                raise
            finally:
                if before is not None:
                    await shelf.release(before, whole=False)
                await shelf.run(directory.clean)

    async def drop(self, scope: TenantScope) -> None:
        """See the port."""
        async with self._locks[scope.tenant], self._shelf.opening[scope.tenant]:
            opened = self._shelf.forget(scope.tenant)
            if opened is not None:
                await self._shelf.release(opened, whole=False)
            await self._shelf.run(self._shelf.directory(scope.tenant).remove)

    async def close(self) -> None:
        """See the port."""
        await self._shelf.close()
        self._searchers.shutdown()


class _NewGeneration(Generation):
    """A generation that is being filled."""

    def __init__(self, shelf: Shelf, opened: OpenedIndex) -> None:
        self._shelf = shelf
        self._opened = opened
        self._lock = asyncio.Lock()

    async def write(self, entries: Sequence[Entry]) -> Written:
        """See the port."""
        async with self._lock:
            return await write(self._shelf, self._opened, entries)


def _deferred(entries: Sequence[Entry], why: str) -> Written:
    return Written(0, 0, deferred=tuple(entries), trouble=why)
