"""Which tenants have an index, and which index: their aliases, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from streams.errors import IndexMissing
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.grouped import Grouped
from streams.index_opensearch.names import Names, usable

_MOST: Final = 100_000


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
        self._sought = Grouped(self._seek, most=_MOST)

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
        index = await self._sought.ask(tenant)
        self.note(tenant, index) if index else self.forget(tenant)
        return index

    def ready(self, tenant: str) -> bool:
        """Whether it is known to have an index that can be used."""
        index = self._indexes.get(tenant)
        return index is not None and usable(index)

    def known(self, tenant: str) -> str | None:
        """What is remembered of it."""
        return self._indexes.get(tenant)

    def forget(self, tenant: str) -> None:
        """Something went wrong with its alias: it is looked up when next asked for."""
        self._indexes.pop(tenant, None)

    def note(self, tenant: str, index: str) -> None:
        """The alias has been made or changed."""
        self._indexes[tenant] = index

    async def indexes(self, pattern: str) -> list[str]:
        """The indexes whose names fit, whether an alias leads to them or not."""
        return list(await self._aliases(f"/{pattern}/_alias"))

    async def _seek(self, tenants: Sequence[str]) -> Sequence[str | None]:
        """One is asked for by its name, several by asking for all."""
        found = await self._list(self._names.alias(tenants[0]) if len(set(tenants)) == 1 else self._names.aliases)
        return [found.get(tenant) for tenant in tenants]

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
