"""What these tests share: an index on the running OpenSearch, under a prefix of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex
from streams.index_opensearch.names import Names
from streams.scope import TenantScope
from tests.servers.opensearch import OpenSearch


@dataclass(frozen=True)
class Here:
    """An index, where it is, and what its names begin with."""

    index: OpenSearchIndex
    connection: OpenSearchConnection
    prefix: str
    server: OpenSearch

    def names(self) -> list[str]:
        """The indexes that are there."""
        return sorted(row["index"] for row in self.server.ask("GET", f"_cat/indices/{self.prefix}-*?format=json&expand_wildcards=all"))


def connection(server: OpenSearch, prefix: str, *, port: int | None = None, options: str = "") -> OpenSearchConnection:
    """The connection of its administrator, or without security."""
    where = f"{server.host}:{port or server.port}/{prefix}"
    if not server.secured:
        return OpenSearchConnection.from_url(f"opensearch://{where}?{options}")
    return OpenSearchConnection.from_url(f"opensearch://{server.admin}@{where}?tls=true&cafile={server.ca}&{options}", server.password)


@asynccontextmanager
async def on(server: OpenSearch, prefix: str = "", *, options: str = "") -> AsyncIterator[Here]:
    """An index under a new prefix, which is cleaned in the end."""
    prefix = prefix or f"test-{secrets.token_hex(4)}"
    found = connection(server, prefix, options=options)
    index = OpenSearchIndex(found)
    try:
        yield Here(index, found, prefix, server)
    finally:
        await index.close()
        server.request("DELETE", f"{prefix}-*")


async def pooled_beside(here: Here, scope: TenantScope) -> TenantScope:
    """Another tenant of the same pool."""
    names = Names(here.prefix, here.connection.pools)
    others = (f"globex-{number}" for number in range(1000))
    other = TenantScope(next(name for name in others if names.pool_of(name) == names.pool_of(scope.tenant)))
    await here.index.prepare(other, pooled=True)
    return other
