"""Which tenants have an index, and which index: their aliases, remembered.

What is remembered may be out of date, which does no harm. An own index is read and written through the tenant's alias, and so is a share
of a pool read. To write by an alias each would cost OpenSearch a fifth to three fifths more, since it takes every name in a
request apart; so shares are written by an alias of the pool. Whoever moves or removes a share gives the pool another alias in the same
request, and the old one is never used again: who remembers the share where it was is refused, and looks again (`Generations.leave`).
Only people take a tenant's alias away without that; it is noticed within a minute, since everything is looked up anew now and then.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from streams.errors import IndexMissing
from streams.grouped import Grouped
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.names import Names, usable

_MOST: Final = 100_000
_FRESH_SECONDS: Final = 60.0


class _Has(msgspec.Struct, gc=False):
    aliases: dict[str, msgspec.Raw] = {}


_decode = msgspec.json.Decoder(dict[str, _Has]).decode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tenant's alias leads.

    Attributes:
        index: its own, or a shared one.
        writer: by which alias the shared one was written to when it was seen that the tenant is there; empty for the tenant's own.
    """

    index: str
    writer: str = ""


class Tenants:
    """The aliases of one prefix. What others change is seen when a tenant is not known, or when a request fails."""

    def __init__(self, client: Client, names: Names) -> None:
        self._client = client
        self._names = names
        self._places: dict[str, Place] = {}
        self._writers: dict[str, str] = {}
        self._listed_at: float | None = None
        self._listing = Grouped(self._list_all, most=_MOST)
        self._sought = Grouped(self._seek, most=_MOST)

    async def index_of(self, tenant: str) -> str:
        """The index behind the tenant's alias.

        Raises:
            IndexMissing: it has none, or one of another version.
        """
        if not self._fresh():
            await self._listing.ask(None)
        index = self.known(tenant) or await self.look(tenant)
        if index is None or not usable(index):
            raise IndexMissing(tenant)
        return index

    async def look(self, tenant: str) -> str | None:
        """The index behind the tenant's alias as it is now, whatever its version; None without one."""
        place = await self._sought.ask(tenant)
        if place is None:
            self.forget(tenant)
            return None
        self._places[tenant] = place
        return place.index

    def ready(self, tenant: str) -> bool:
        """Whether it is known to have an index that can be used, and that was seen lately."""
        index = self.known(tenant)
        return index is not None and usable(index) and self._fresh()

    def known(self, tenant: str) -> str | None:
        """The index that is remembered of it."""
        place = self._places.get(tenant)
        return place.index if place is not None else None

    def writer(self, tenant: str) -> str:
        """The pool's alias by which its share is written; empty if it is written by its own, as an own index is."""
        place = self._places.get(tenant)
        return place.writer if place is not None else ""

    def writer_of(self, index: str) -> str:
        """The alias for writing that a shared index had when any was last looked for; empty if it had none."""
        return self._writers.get(index, "")

    def note_writer(self, index: str, writer: str) -> None:
        """A shared index has got this alias for writing."""
        self._writers[index] = writer

    def forget(self, tenant: str) -> None:
        """Something went wrong with its alias: it is looked up when next asked for."""
        self._places.pop(tenant, None)

    def note(self, tenant: str, index: str, writer: str = "") -> None:
        """The alias has been made or changed; `writer` is what the shared index's alias for writing was **before** that."""
        self._places[tenant] = Place(index, writer)

    async def indexes(self, pattern: str) -> list[str]:
        """The indexes whose names fit, whether an alias leads to them or not."""
        return list(await self._aliases(f"/{pattern}/_alias"))

    def _fresh(self) -> bool:
        return self._listed_at is not None and time.monotonic() - self._listed_at < _FRESH_SECONDS

    async def _list_all(self, asking: Sequence[None]) -> Sequence[None]:
        if not self._fresh():  # or whoever asked just before has got it
            now = time.monotonic()
            self._places = await self._list(self._names.aliases)
            self._listed_at = now
        return asking

    async def _seek(self, tenants: Sequence[str]) -> Sequence[Place | None]:
        """One is asked for by its name, several by asking for all."""
        found = await self._list(self._names.alias(tenants[0]) if len(set(tenants)) == 1 else self._names.aliases)
        return [found.get(tenant) for tenant in tenants]

    async def _list(self, pattern: str) -> dict[str, Place]:
        found = await self._aliases(f"/{self._names.everything}/_alias/{pattern},{self._names.every_pool}")
        places: dict[str, Place] = {}
        for index, has in found.items():
            writer = next((alias for alias in has.aliases if self._names.pooled(alias)), "")
            if self._names.pooled(index):
                self._writers[index] = writer
            place = Place(index, writer)
            places |= {self._names.tenant_of(alias): place for alias in has.aliases if alias != writer}
        return places

    async def _aliases(self, path: str) -> dict[str, _Has]:
        try:
            return _decode(await self._client.ask("GET", f"{path}?expand_wildcards=all"))
        except Refused as error:
            if error.status == 404:  # what is there is told nevertheless
                found = {index: has for index, has in error.answer.items() if isinstance(has, dict) and "aliases" in has}
                return {index: _Has(dict.fromkeys(has["aliases"], msgspec.Raw())) for index, has in found.items()}
            raise
