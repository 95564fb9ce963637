"""OpenSearch keeps the contract of `SearchIndex`, for tenants with an index of their own and for pooled ones."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex
from streams.scope import TenantScope
from streams.search_index import SearchIndex
from tests.contract.search_index import SearchIndexContract, like_the_oracle
from tests.servers.opensearch import OpenSearch


def connection(server: OpenSearch, prefix: str) -> OpenSearchConnection:
    url = f"opensearch://{server.admin}@{server.host}:{server.port}/{prefix}?tls=true&cafile={server.ca}"
    return OpenSearchConnection.from_url(url, server.password)


class Pooling(OpenSearchIndex):
    """Every tenant is pooled, whatever is asked for."""

    async def prepare(self, scope: TenantScope, *, pooled: bool = True) -> bool:  # noqa: ARG002
        return await super().prepare(scope, pooled=True)


class TestOpenSearchIndex(SearchIndexContract):
    kind = OpenSearchIndex
    test_answers_like_the_oracle = like_the_oracle(8)
    test_answers_like_the_oracle_at_length = pytest.mark.long(like_the_oracle(200))

    @pytest.fixture
    async def index(self, opensearch: OpenSearch) -> AsyncIterator[SearchIndex]:
        prefix = f"contract-{secrets.token_hex(4)}"
        index = self.kind(connection(opensearch, prefix))
        yield index
        await index.close()
        opensearch.request("DELETE", f"{prefix}-*")


class TestPooledTenants(TestOpenSearchIndex):
    kind = Pooling
