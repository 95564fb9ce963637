"""The opened indexes: few at a time, and fewer writers, since each costs memory and a thread."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from streams.index_tantivy.directory import TenantDirectory
from streams.index_tantivy.opened import OpenedIndex, engine

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Shelf:
    """Opens the indexes of the tenants on demand, and closes those not used for longest.

    Args:
        root: the directory of all tenants.
        readers: how many indexes are open at most; one with a writer is never closed for another's sake.
        writers: how many writers are open at most, each with a thread and `heap` bytes of memory.
    """

    def __init__(self, root: Path, *, readers: int, writers: int, heap: int) -> None:
        self._root = root
        self._readers = readers
        self._limit = writers
        self._heap = heap
        self._opened: OrderedDict[str, OpenedIndex] = OrderedDict()
        self._writing: OrderedDict[OpenedIndex, None] = OrderedDict()
        self._pinned: Counter[str] = Counter()
        self.opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By tenant: who opens its index, or changes which one it is."""
        self._slots = asyncio.Semaphore(writers)
        self._cleaned: set[str] = set()
        self._workers = ThreadPoolExecutor(writers, "tenantry-index-write")

    def directory(self, tenant: str) -> TenantDirectory:
        """Where the tenant's index is."""
        return TenantDirectory(self._root, tenant)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The answer of a blocking call, made in a thread. When cancelled, ends only with it: nobody else gets the turn meanwhile."""

        def guarded() -> _T:
            with engine():
                return work(*args, **kwargs)

        running = asyncio.get_running_loop().run_in_executor(self._workers, guarded)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    async def present(self, tenant: str) -> OpenedIndex:
        """The tenant's index, opened.

        Raises:
            IndexMissing: it has none.
            IndexUnavailable: it can't be opened.
        """
        opened = self._opened.get(tenant)
        if opened is None:
            async with self.opening[tenant]:
                opened = self._opened.get(tenant)
                if opened is None:
                    opened = await self.run(self._open, tenant)
                    self.put(tenant, opened)
        self._opened.move_to_end(tenant)
        return opened

    async def check(self, tenant: str) -> None:
        """Returns if the tenant has an index, which is not opened for it.

        Raises:
            IndexMissing: it has none.
            IndexUnavailable: its pointer points nowhere.
        """
        if tenant not in self._opened:
            await self.run(self.directory(tenant).current)

    def _open(self, tenant: str) -> OpenedIndex:
        directory = self.directory(tenant)
        path = directory.current()
        self.clean(tenant)
        try:
            return OpenedIndex(path)
        except ValueError as error:
            raise directory.broken(str(error)) from error

    def clean(self, tenant: str) -> None:
        """Removes what a killed rebuild left, once: later, another generation may be one that is being filled."""
        if tenant not in self._cleaned:
            self.directory(tenant).clean()
            self._cleaned.add(tenant)

    def put(self, tenant: str, opened: OpenedIndex) -> OpenedIndex | None:
        """Makes it the tenant's index; returns what was so before."""
        before = self._opened.pop(tenant, None)
        self._opened[tenant] = opened
        for other in list(self._opened):
            if len(self._opened) <= self._readers:
                break
            if other != tenant and not self._pinned[other] and not self._opened[other].writing and not self._opened[other].turn.locked():
                del self._opened[other]  # searches under way keep theirs
        return before

    @contextmanager
    def pinned(self, tenant: str) -> Iterator[None]:
        """Keeps the tenant's index on the shelf: what is written to one that is not would not be found by searches."""
        self._pinned[tenant] += 1
        try:
            yield
        finally:
            self._pinned[tenant] -= 1
            if not self._pinned[tenant]:
                del self._pinned[tenant]

    def forget(self, tenant: str) -> OpenedIndex | None:
        """Takes the tenant's index off the shelf."""
        return self._opened.pop(tenant, None)

    @asynccontextmanager
    async def writer(self, opened: OpenedIndex) -> AsyncIterator[None]:
        """The turn to write, with the writer open; after an error, what was not committed is gone."""
        async with self._slots, opened.turn:
            # Of all writers but those of the other slots' holders, one at least is idle.
            while opened not in self._writing and len(self._writing) >= self._limit:
                idle = next(other for other in self._writing if not other.turn.locked())
                await self._finish(idle)
            self._writing[opened] = None
            self._writing.move_to_end(opened)
            try:
                await self.run(opened.begin, self._heap)
                yield
            except BaseException:
                self._writing.pop(opened, None)
                await self.run(opened.abandon)
                raise

    async def _finish(self, opened: OpenedIndex) -> None:
        """Closes a writer that nobody uses."""
        self._writing.pop(opened, None)
        async with opened.turn:
            await self.run(opened.end)

    async def release(self, opened: OpenedIndex, *, whole: bool) -> None:
        """Closes the index's writer, if it has one: after its merges, or at once if the index is not needed any more."""
        if whole:
            await self._finish(opened)
        else:
            self._writing.pop(opened, None)
            async with opened.turn:
                await self.run(opened.abandon)

    async def close(self) -> None:
        """Closes everything."""
        for opened in list(self._writing):
            await self._finish(opened)
        self._opened.clear()
        self._workers.shutdown()
