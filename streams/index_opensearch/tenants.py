"""Which tenants have an index, and which index: their aliases, remembered."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from streams.errors import IndexMissing
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.names import Names, usable

_SECONDS: Final = 120.0
_TOGETHER: Final = 1_000
"""Aliases made by one request: a change of the cluster's state costs much more than what is in it."""


class _Has(msgspec.Struct, gc=False):
    aliases: dict[str, msgspec.Raw] = {}


_decode = msgspec.json.Decoder(dict[str, _Has]).decode


class Tenants:
    """The aliases of one prefix. What others change is seen when a tenant is not known, or when a request fails."""

    def __init__(self, client: Client, names: Names) -> None:
        self._client = client
        self._names = names
        self._indexes: dict[str, str] = {}
        self._listed = False
        self._lock = asyncio.Lock()
        self._asked: list[tuple[list[dict[str, Any]], asyncio.Future[None]]] = []
        self._changing: asyncio.Task[None] | None = None

    async def index_of(self, tenant: str) -> str:
        """The index behind the tenant's alias.

        Raises:
            IndexMissing: it has none, or one of another version.
        """
        if not self._listed:
            async with self._lock:
                if not self._listed:
                    self._indexes |= await self._list(self._names.aliases)
                    self._listed = True
        index = self._indexes.get(tenant) or await self.look(tenant)
        if index is None or not usable(index):
            raise IndexMissing(tenant)
        return index

    async def look(self, tenant: str) -> str | None:
        """The index behind the tenant's alias as it is now, whatever its version; None without one."""
        self._indexes.pop(tenant, None)
        self._indexes |= await self._list(self._names.alias(tenant))
        return self._indexes.get(tenant)

    def known(self, tenant: str) -> str | None:
        """What is remembered of it."""
        return self._indexes.get(tenant)

    def forget(self, tenant: str) -> None:
        """Something went wrong with its alias: it is looked up when next asked for."""
        self._indexes.pop(tenant, None)

    def note(self, tenant: str, index: str) -> None:
        """The alias has been made or changed."""
        self._indexes[tenant] = index

    async def change(self, actions: list[dict[str, Any]]) -> None:
        """Changes aliases, together with what others ask for meanwhile; the actions of one call at once or not at all."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((actions, done))
        if self._changing is None or self._changing.done():
            self._changing = asyncio.create_task(self._change())
        await asyncio.shield(done)

    async def _change(self) -> None:
        await asyncio.sleep(0)  # those who ask at the same time
        while self._asked:
            some, self._asked = self._asked[:_TOGETHER], self._asked[_TOGETHER:]
            await self._together(some)

    async def _together(self, some: list[tuple[list[dict[str, Any]], asyncio.Future[None]]]) -> None:
        try:
            changes = {"actions": [action for actions, _ in some for action in actions]}
            await self._client.ask("POST", "/_aliases", changes, seconds=_SECONDS)
        except Refused as error:
            if len(some) > 1 and error.status in {400, 404}:  # one of them; the others have a right to their own answers
                for one in some:
                    await self._together([one])
                return
            _fail(some, error)
        except Exception as error:  # noqa: BLE001 -- it is theirs who wait
            _fail(some, error)
        else:
            for _, done in some:
                if not done.done():
                    done.set_result(None)

    async def indexes(self, pattern: str) -> list[str]:
        """The indexes whose names fit, whether an alias leads to them or not."""
        return list(await self._aliases(f"/{pattern}/_alias"))

    async def _list(self, pattern: str) -> dict[str, str]:
        found = await self._aliases(f"/{self._names.everything}/_alias/{pattern}")
        return {self._names.tenant_of(alias): index for index, has in found.items() for alias in has.aliases}

    async def _aliases(self, path: str) -> dict[str, _Has]:
        try:
            return _decode(await self._client.ask("GET", f"{path}?expand_wildcards=all"))
        except Refused as error:
            if error.status == 404:
                return {}
            raise


def _fail(some: list[tuple[list[dict[str, Any]], asyncio.Future[None]]], error: Exception) -> None:
    for _, done in some:
        if not done.done():
            done.set_exception(error)
