"""The search index on OpenSearch: one index per tenant behind an alias, or a share of a pool behind a filtered one."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress

import msgspec

from streams.errors import IndexBeingBuilt, IndexMissing, IndexUnavailable
from streams.index_opensearch import endings, long_prefixes
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.connection import OpenSearchConnection
from streams.index_opensearch.generations import Generations
from streams.index_opensearch.names import Names
from streams.index_opensearch.questions import Questions
from streams.index_opensearch.rebuild import Rebuild
from streams.index_opensearch.sizes import sizes
from streams.index_opensearch.tenants import Tenants
from streams.index_opensearch.told import told
from streams.index_opensearch.translate import Asked, translate
from streams.index_opensearch.writing import Target, Writer
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Entry, Generation, Histogram, Hit, Place, SearchIndex, Size, Sort, Values, Written


class OpenSearchIndex(SearchIndex):
    """The port on OpenSearch. Use one in one event loop.

    Args:
        connection: where it is.
        requests: how many bulk requests are under way at once.
    """

    def __init__(self, connection: OpenSearchConnection, *, requests: int = 4) -> None:
        self._client = Client(connection)
        self._names = Names(connection.prefix, connection.pools)
        self._tenants = Tenants(self._client, self._names)
        self._generations = Generations(self._client, self._names, self._tenants, replicas=connection.replicas)
        self._writer = Writer(self._client, requests=requests)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rebuilding: Counter[str] = Counter()

    async def prepare(self, scope: TenantScope, *, pooled: bool = False) -> bool:
        """See the port."""
        async with self._locks[scope.tenant]:
            with self._telling(scope):
                return await self._generations.prepare(scope.tenant, pooled=pooled)

    async def check(self, scope: TenantScope) -> None:
        """See the port. Asks OpenSearch only about tenants that it has not heard of."""
        with self._telling(scope):
            await self._tenants.index_of(scope.tenant)

    async def write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        """See the port. Tenants whose index is being made or written by this process wait for it apart from the others."""
        free = {scope: part for scope, part in entries.items() if not self._locks[scope.tenant].locked()}
        if len(free) == len(entries):
            return await self._write(entries)
        calls = [self._write(free)] + [self._write({scope: part}) for scope, part in entries.items() if scope not in free]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        written: dict[TenantScope, Written] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            written |= answer
        return {scope: written[scope] for scope in entries}

    async def _write(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
        held: dict[TenantScope, str] = {}
        locked: list[asyncio.Lock] = []
        try:
            for scope in sorted(entries, key=lambda scope: scope.tenant):
                if self._rebuilding[scope.tenant]:  # which would be a long wait
                    held[scope] = "its index is being built anew"
                else:
                    await self._locks[scope.tenant].acquire()
                    locked.append(self._locks[scope.tenant])
            held |= await self._missing([scope for scope in entries if scope not in held])
            if not held:
                return await self._deliver(entries)
            deferred = {scope: Written(0, 0, deferred=tuple(entries[scope]), trouble=why) for scope, why in held.items()}
            return deferred | await self._deliver({scope: part for scope, part in entries.items() if scope not in held})
        finally:
            for lock in locked:  # thousands in a pool's batch: an exit stack would cost ten times as much
                lock.release()

    async def _deliver(self, entries: Mapping[TenantScope, Sequence[Entry]]) -> dict[TenantScope, Written]:
        """Writes; what is refused by a pool, which somebody may just have left, is tried once more by its tenants' own aliases."""
        if not entries:
            return {}
        targets = {scope: self._target(scope.tenant) for scope in entries}
        answers = await self._writer.write({targets[scope]: part for scope, part in entries.items()})
        written = {scope: answers[scope.tenant] for scope in entries}
        for scope, one in written.items():
            if one.deferred:
                self._tenants.forget(scope.tenant)
        refused = [scope for scope in entries if written[scope].deferred and targets[scope].routing]
        if refused:
            with suppress(IndexUnavailable):  # the others' events are written
                answers = await self._writer.write({self._by_own_alias(scope.tenant): written[scope].deferred for scope in refused})
                written |= {scope: answers[scope.tenant].after(written[scope]) for scope in refused}
        return written

    def _target(self, tenant: str) -> Target:
        writer = self._tenants.writer(tenant)
        return Target(tenant, writer, routing=tenant) if writer else self._by_own_alias(tenant)

    def _by_own_alias(self, tenant: str) -> Target:
        return Target(tenant, self._names.alias(tenant))

    async def _missing(self, scopes: Iterable[TenantScope]) -> dict[TenantScope, str]:
        """Those who have no index, and that it is so; all that are not known are looked up together."""
        unknown = [scope for scope in scopes if not self._tenants.ready(scope.tenant)]
        answers = await asyncio.gather(*map(self.check, unknown), return_exceptions=True)
        missing: dict[TenantScope, str] = {}
        for scope, answer in zip(unknown, answers, strict=True):
            if isinstance(answer, IndexMissing):
                missing[scope] = str(answer)
            elif answer is not None:
                raise answer
        return missing

    async def refresh(self, scope: TenantScope) -> None:
        """See the port."""
        async with self._asking(scope):
            answer = msgspec.json.decode(await self._client.ask("POST", f"/{self._names.alias(scope.tenant)}/_refresh"))
            if answer["_shards"]["failed"] or not answer["_shards"]["successful"]:
                raise IndexUnavailable(f"the index of tenant {scope.tenant!r} could not be refreshed")

    async def get(self, scope: TenantScope, event_id: str) -> Hit | None:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.get(event_id)

    async def search(
        self, scope: TenantScope, query: Query, *, sort: Sort = "newest", limit: int = 100, after: Place | None = None
    ) -> Sequence[Hit]:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.search(await _translated(ask, query), sort=sort, limit=limit, after=after)

    async def tail(self, scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.tail(await _translated(ask, query), after=after, upto=upto, limit=limit)

    async def count(self, scope: TenantScope, query: Query) -> int:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.count(await _translated(ask, query))

    async def top_values(self, scope: TenantScope, query: Query, fields: Sequence[str], *, size: int = 10) -> Values:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.top_values(await _translated(ask, query), fields, size)

    async def histogram(self, scope: TenantScope, query: Query, *, interval: int, offset: int = 0) -> Histogram:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.histogram(await _translated(ask, query), interval=interval, offset=offset)

    async def positions(self, scope: TenantScope, ranges: Sequence[tuple[int, int]]) -> int:
        """See the port."""
        async with self._asking(scope) as ask:
            return await ask.positions(ranges)

    async def sizes(self) -> Mapping[str, Size]:
        """See the port."""
        try:
            return await sizes(self._client, self._names, self._tenants)
        except Refused as error:
            raise IndexUnavailable(f"OpenSearch does not tell the sizes of its indexes: {error}; see its log") from None

    def rebuild(self, scope: TenantScope, *, pooled: bool | None = None) -> AbstractAsyncContextManager[Generation]:
        """See the port, and `streams.index_opensearch.rebuild`."""
        return self._rebuild(scope, pooled)

    @asynccontextmanager
    async def _rebuild(self, scope: TenantScope, pooled: bool | None) -> AsyncIterator[Generation]:
        self._rebuilding[scope.tenant] += 1
        try:
            async with self._locks[scope.tenant]:
                rebuild = Rebuild(self._client, self._names, self._tenants, self._generations, scope.tenant)
                with self._telling(scope):
                    await rebuild.begin(pooled=pooled)
                try:
                    yield rebuild
                    with self._telling(scope):
                        await rebuild.finish()
                except IndexBeingBuilt:
                    raise  # what is there is theirs by now, and they have removed what was left
                except BaseException:
                    await rebuild.abandon()
                    raise
        finally:
            self._rebuilding[scope.tenant] -= 1

    async def drop(self, scope: TenantScope) -> None:
        """See the port."""
        async with self._locks[scope.tenant]:
            with self._telling(scope):
                await self._generations.drop(scope.tenant)

    async def close(self) -> None:
        """See the port."""
        await self._client.close()

    @asynccontextmanager
    async def _asking(self, scope: TenantScope) -> AsyncIterator[Questions]:
        """Questions about one tenant, who has an index."""
        with self._telling(scope):
            await self._tenants.index_of(scope.tenant)
            yield Questions(self._client, self._names.alias(scope.tenant), scope.tenant)

    @contextmanager
    def _telling(self, scope: TenantScope) -> Iterator[None]:
        """What OpenSearch refuses, as errors of the port."""
        try:
            yield
        except Refused as error:
            self._tenants.forget(scope.tenant)
            raise told(scope.tenant, error) from None


async def _translated(ask: Questions, query: Query) -> Asked:
    return translate(query, await long_prefixes.found(ask, query) | await endings.found(ask, query))
