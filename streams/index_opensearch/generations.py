"""How the indexes behind the aliases come and go: made, pooled, and removed with what a crash left of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

import msgspec

from streams.errors import IndexMissing, IndexUnavailable
from streams.grouped import Grouped
from streams.index_opensearch.client import Body, Client, Refused
from streams.index_opensearch.names import Names, generation_of
from streams.index_opensearch.schema import OWNER, creation
from streams.index_opensearch.tenants import Tenants

_POOLED_AT_ONCE: Final = 1_000
_SECONDS: Final = 120.0
_DELETED_AT_ONCE: Final = 5_000
_EXISTS: Final = "resource_already_exists_exception"
_LEAVING_TRIES: Final = 100
_NO_ALIAS: Final = "aliases_not_found_exception"
_NO_INDEX: Final = "index_not_found_exception"


class _Found(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="_id")
    index: str = msgspec.field(name="_index")
    routing: str = msgspec.field(name="_routing", default="")


class _Hits(msgspec.Struct, gc=False):
    hits: list[_Found] = []


class _Page(msgspec.Struct, gc=False):
    hits: _Hits


class Generations:
    """Makes and removes the indexes of one prefix."""

    def __init__(self, client: Client, names: Names, tenants: Tenants, *, replicas: int | None) -> None:
        self._client = client
        self._names = names
        self._tenants = tenants
        self._creation = msgspec.json.decode(creation(replicas))
        self._leaving: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._pooling = Grouped(self._pool, most=_POOLED_AT_ONCE)

    async def prepare(self, tenant: str, *, pooled: bool) -> bool:
        """Makes sure that the tenant has an index; whether it is new."""
        try:
            await self._tenants.index_of(tenant)
        except IndexMissing:
            if self._tenants.known(tenant) is not None:  # of another version of Tenantry: what is in it must be built anew
                await self.drop(tenant)
        else:
            return False
        return await (self._pooling.ask(tenant) if pooled else self._own(tenant))

    async def _own(self, tenant: str) -> bool:
        alias = self._names.alias(tenant)
        generation = 1
        while not await self.create(index := self._names.own(tenant, generation), aliases={alias: {}}):
            # Another process has just made it, or a crash left it.
            if await self._tenants.look(tenant):
                return False
            generation = await self.last(tenant) + 1
        self._tenants.note(tenant, index)
        return True

    async def _pool(self, tenants: Sequence[str]) -> Sequence[bool]:
        """Gives each of them a share of a pool: all aliases in one request, since a change of the cluster's state costs most of it."""
        placed = {tenant: self._names.pool_of(tenant) for tenant in tenants}
        for index in sorted(set(placed.values())):
            await self.create_pool(index)
        left = await self._left(list(placed))
        # Another process may have been faster while these waited for their turn: what is there now is in use.
        found = await asyncio.gather(*map(self._tenants.look, placed))
        new = {tenant: placed[tenant] for tenant, index in zip(placed, found, strict=True) if index is None}
        for tenant in left:
            if tenant in new:
                await self.purge(self._names.every_pool, tenant)
        if not new:
            return [False] * len(tenants)
        actions = [self.aliasing(tenant, index) for tenant, index in new.items()]
        writers = {index: self._tenants.writer_of(index) for index in set(new.values())}
        await self._client.ask("POST", "/_aliases", {"actions": actions}, seconds=_SECONDS)
        for tenant, index in new.items():
            self._tenants.note(tenant, index, writers[index])
        return [tenant in new for tenant in tenants]

    async def _left(self, tenants: Sequence[str]) -> Sequence[str]:
        """Those of the tenants who have documents in the pools, which an interrupted removal has left."""
        await self._client.ask("POST", f"/{self._names.every_pool}/_refresh")
        terms = {"field": OWNER, "size": len(tenants)}
        body = {"size": 0, "query": {"terms": {OWNER: tenants}}, "aggs": {"owners": {"terms": terms}}}
        answer = await self._client.ask("POST", f"/{self._names.every_pool}/_search?allow_partial_search_results=false", body)
        found = msgspec.json.decode(answer).get("aggregations")  # none if somebody has just removed the pools
        return [str(bucket["key"]) for bucket in found["owners"]["buckets"]] if found else []

    def aliasing(self, tenant: str, index: str) -> dict[str, Any]:
        """The action that makes the tenant's alias lead to an index; to a shared one, it filters, and leads to one shard."""
        action: dict[str, Any] = {"index": index, "alias": self._names.alias(tenant)}
        if self._names.pooled(index):
            action |= {"filter": {"term": {OWNER: tenant}}, "routing": tenant}
        return {"add": action}

    async def leave(self, tenant: str, index: str, *, actions: Sequence[dict[str, Any]] = ()) -> bool:
        """Takes the tenant's alias from an index, and does the other actions in the same moment; False if it had it no longer.

        A shared index gets another alias for writing: whoever remembers that the tenant is there can't write to it any more. That the
        old one is still there is a condition, or of two who leave at once the second would leave the first's new alias behind.
        """
        gone = {"remove": {"index": index, "alias": self._names.alias(tenant), "must_exist": True}}
        async with self._leaving[index] if self._names.pooled(index) else nullcontext():
            for _ in range(_LEAVING_TRIES):
                old, new = self._tenants.writer_of(index), self._names.writer(index)
                try:
                    everything = [*actions, gone, *(_renaming(index, old, new) if old else ())]
                    await self._client.ask("POST", "/_aliases", {"actions": everything}, seconds=_SECONDS)
                except Refused as error:
                    if error.kind not in {_NO_ALIAS, _NO_INDEX}:
                        raise
                    if await self._tenants.look(tenant) != index:
                        return False
                    if error.kind == _NO_INDEX:
                        raise
                else:
                    if old:
                        self._tenants.note_writer(index, new)
                    return True
        raise IndexUnavailable(f"tenant {tenant!r} can't leave its index, whose aliases change all the time")

    async def create_pool(self, index: str) -> bool:
        """Makes a shared index, with an alias for writing; False if there is one of its name."""
        return await self.create(index, aliases={self._names.writer(index): {}})

    async def create(self, index: str, *, aliases: dict[str, Any] | None = None) -> bool:
        """Makes an index; False if there is one of its name."""
        try:
            await self._client.ask("PUT", f"/{index}", self._creation | ({"aliases": aliases} if aliases else {}))
        except Refused as error:
            if error.kind == _EXISTS:
                return False
            if error.kind == "validation_exception":
                raise IndexUnavailable(f"OpenSearch makes no more indexes: {error.reason[:200]}; pool tenants, or add nodes") from None
            raise
        return True

    async def last(self, tenant: str) -> int:
        """The highest number of the tenant's own generations; 0 without any."""
        return max(map(generation_of, await self.own(tenant)), default=0)

    async def own(self, tenant: str) -> Sequence[str]:
        """All generations of the tenant's own index, used or left over."""
        return await self._tenants.indexes(self._names.generations(tenant))

    async def remove(self, indexes: Sequence[str]) -> None:
        """Removes indexes, if they are there."""
        if indexes:
            await self._client.ask("DELETE", f"/{','.join(indexes)}?ignore_unavailable=true")

    async def drop(self, tenant: str) -> None:
        """Removes the tenant's alias first, so that an interrupted removal leaves no index rather than a part of one."""
        while (index := await self._tenants.look(tenant)) is not None:
            await self.leave(tenant, index)
        await self.remove(await self.own(tenant))
        await self.purge(self._names.every_pool, tenant)

    async def purge(self, indexes: str, tenant: str) -> None:
        """Removes the tenant's documents from the shared indexes.

        Of an index with another mapping, where the owner is a text of words, OpenSearch refuses to tell it: nobody else's are removed.
        """
        body = {
            "size": _DELETED_AT_ONCE,
            "query": {"term": {OWNER: tenant}},
            "_source": False,
            "sort": ["_doc"],
            "docvalue_fields": [OWNER],
        }
        while True:
            await self._client.ask("POST", f"/{indexes}/_refresh")
            answer = await self._client.ask("POST", f"/{indexes}/_search?allow_partial_search_results=false", body)
            found = msgspec.json.decode(answer, type=_Page).hits.hits
            if not found:
                return
            lines = [
                msgspec.json.encode({"delete": {"_index": one.index, "_id": one.id, "routing": one.routing or tenant}}) + b"\n"
                for one in found
            ]
            done = msgspec.json.decode(await self._client.send("/_bulk?filter_path=errors", Body(lines)), type=dict[str, bool])
            if done.get("errors"):
                raise IndexUnavailable(f"OpenSearch could not remove all documents of tenant {tenant!r}")


def _renaming(index: str, old: str, new: str) -> Sequence[dict[str, Any]]:
    return {"remove": {"index": index, "alias": old, "must_exist": True}}, {"add": {"index": index, "alias": new}}
