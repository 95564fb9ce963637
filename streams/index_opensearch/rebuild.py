"""A tenant's index built anew beside the present one, and the moment when it takes its place.

Own indexes: a new generation is filled under its own name and takes the alias. Pooled tenants move to another pool. So the alias
alone tells what is read and written, whichever process asks, and it changes at once; it may also lead from an own index into a pool.
A pool's alias for writing changes with it.

Another process may write to the present index meanwhile, when work is just being handed over. What it has written behind everything that
the rebuild has seen is copied, before the swap and once more after it: an own index refuses writes by then, and what was under way has
ended. Who rebuilds should not count on that, since a crash in between leaves the rest behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Self

import msgspec

from streams.errors import IndexUnavailable
from streams.index_opensearch.client import Client, Refused, TooLong
from streams.index_opensearch.documents import entry_of
from streams.index_opensearch.generations import Generations
from streams.index_opensearch.names import Names
from streams.index_opensearch.questions import MOST_BYTES, Found
from streams.index_opensearch.schema import OWNER, POSITION
from streams.index_opensearch.tenants import Tenants
from streams.index_opensearch.translate import both, numbers
from streams.index_opensearch.writing import Target, Writer
from streams.search_index import Entry, Generation, Written

_COPIED_AT_ONCE: Final = 500
_SECONDS: Final = 120.0


class _Hits(msgspec.Struct, gc=False):
    hits: list[Found] = []


class _Page(msgspec.Struct, gc=False):
    hits: _Hits


class Rebuild(Generation):
    """One rebuild of one tenant's index, from `begin` to `finish` or `abandon`."""

    def __init__(self, client: Client, names: Names, tenants: Tenants, generations: Generations, tenant: str) -> None:
        self._client = client
        self._names = names
        self._tenants = tenants
        self._generations = generations
        self._tenant = tenant
        self._writer = Writer(client, through_aliases=False)
        self._present: str | None = None
        self._target = ""
        self._pooled = False
        self._seen = -1
        self._filled = 0
        self._readable = True
        self._swapping = False

    async def begin(self, *, pooled: bool | None) -> Self:
        """Makes the place to fill; `pooled` None: as it is now, and an index of its own if there is none."""
        self._present = await self._tenants.look(self._tenant)
        self._pooled = self._present is not None and self._names.pooled(self._present) if pooled is None else pooled
        if self._present is not None:
            try:
                await self._refresh(self._present)
                newest = await self._page(self._present, {"size": 1, "sort": [_by_position("desc")], "query": self._own()})
                self._seen = newest[0].sort[0] if newest else -1
            except Refused:
                self._readable = False  # it may be broken, or closed: a reason more to build it anew
        if self._pooled:
            self._target = self._names.other_pool(self._tenant, self._present or "")
            await self._generations.create_pool(self._target)  # unless it is there: OpenSearch may have lost it
            await self._generations.purge(self._target, self._tenant)
        else:
            last = await self._generations.last(self._tenant)
            leftovers = [index for index in await self._generations.own(self._tenant) if index != self._present]
            await self._generations.remove(leftovers)
            self._target = self._names.own(self._tenant, last + 1)
            if not await self._generations.create(self._target):
                raise IndexUnavailable(f"the index of tenant {self._tenant!r} is being built anew by another process")
        return self

    async def write(self, entries: Sequence[Entry]) -> Written:
        """See the port."""
        if not entries:
            return Written(0, 0)
        target = Target(self._tenant, self._target, self._tenant if self._pooled else "")
        written = (await self._writer.write({target: entries}))[self._tenant]
        if written.deferred:
            raise IndexUnavailable(f"the new index of tenant {self._tenant!r} can't be filled now: {written.trouble}")
        self._seen = max(self._seen, *(entry.position for entry in entries))
        self._filled += written.indexed
        return written

    async def finish(self) -> None:
        """Swaps."""
        if self._present is not None:
            await self._copy(self._present)
        await self._refresh(self._target)
        await self._check()
        await self._whole()
        await self._swap()
        if self._present is not None:
            await self._leave(self._present)

    async def _check(self) -> None:
        """Sees that the new index has the mapping that it was made with.

        If somebody has removed it meanwhile, and the cluster makes indexes by itself, what was written since is in one that guesses: an
        owner would be a text of words there, so `acme` would be found in `acme-eu`. Only a keyword can be sorted by.

        Raises:
            IndexUnavailable: it has another.
        """
        try:
            await self._client.ask("POST", f"/{self._target}/_search", {"size": 1, "sort": [OWNER], "_source": False})
        except Refused as error:
            if error.status != 400:
                raise
            raise IndexUnavailable(
                f"somebody has removed the new index of tenant {self._tenant!r}, and OpenSearch has made another of its name; "
                f"delete {self._target} if it is still there, set `action.auto_create_index: false`, and build it anew"
            ) from None

    async def _whole(self) -> None:
        """Sees that what was written is there, and nobody has made another index: who takes over a rebuild removes what was left.

        Raises:
            IndexUnavailable: something is missing, or there is another.
        """
        counted = msgspec.json.decode(await self._client.ask("POST", f"/{self._target}/_count", {"query": self._own()}))
        if counted["count"] < self._filled or counted["_shards"]["failed"] or await self._tenants.look(self._tenant) != self._present:
            raise self._disturbed()

    def _disturbed(self) -> IndexUnavailable:
        return IndexUnavailable(
            f"somebody has removed events from the new index of tenant {self._tenant!r} while it was filled, or made another; build it anew"
        )

    async def _leave(self, index: str) -> None:
        if self._names.pooled(index):
            await self._copy(index)
            await self._generations.purge(index, self._tenant)
        else:
            if self._readable:
                await self._client.ask("PUT", f"/{index}/_block/write")
                await self._copy(index)
            await self._generations.remove([index])

    async def abandon(self) -> None:
        """Undoes what was done, unless the swap has happened, though its answer got lost."""
        with suppress(IndexUnavailable, Refused):
            if await self._tenants.look(self._tenant) == self._target:
                return
            if self._pooled and self._swapping:
                return  # the swap may still come; if it does not, what is left here is removed by who next comes here
            if self._pooled:
                await self._generations.purge(self._target, self._tenant)
            else:
                await self._generations.remove([self._target])

    async def _swap(self) -> None:
        self._swapping = True
        writer = self._tenants.writer_of(self._target)
        add = self._generations.aliasing(self._tenant, self._target)
        if self._present is None:
            await self._client.ask("POST", "/_aliases", {"actions": [add]}, seconds=_SECONDS)
        else:
            left = await self._generations.leave(self._tenant, self._present, actions=[add])
            if not left and self._tenants.known(self._tenant) != self._target:  # else it was done, and only the answer got lost
                raise self._disturbed()
        self._tenants.note(self._tenant, self._target, writer)

    async def _copy(self, index: str) -> None:
        """Copies the documents behind everything seen."""
        if not self._readable:
            return
        await self._refresh(index)
        size = _COPIED_AT_ONCE
        while True:
            try:
                found = await self._page(index, self._behind(size), most=MOST_BYTES if size > 1 else None)
            except TooLong:
                size = max(1, size // 4)
                continue
            if not found:
                return
            await self.write([entry_of(self._tenant, one.id, bytes(one.source)) for one in found])

    def _behind(self, size: int) -> dict[str, Any]:
        query = both(self._own(), numbers(POSITION, self._seen + 1, None))
        return {"size": size, "sort": [_by_position("asc")], "query": query}

    def _own(self) -> dict[str, Any]:
        return {"term": {OWNER: self._tenant}}

    async def _refresh(self, index: str) -> None:
        await self._client.ask("POST", f"/{index}/_refresh")

    async def _page(self, index: str, body: dict[str, Any], *, most: int | None = None) -> list[Found]:
        answer = await self._client.ask("POST", f"/{index}/_search?allow_partial_search_results=false", body, most=most)
        return msgspec.json.decode(answer, type=_Page).hits.hits


def _by_position(order: str) -> dict[str, Any]:
    return {POSITION: {"order": order, "unmapped_type": "long"}}  # an index of another version may have none
