"""OpenSearch keeps the contract of `SearchIndex`, for tenants with an index of their own and for pooled ones.

It is asked as a user who has no other rights than those that Tenantry needs.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from pytest_socket import enable_socket

from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex, service_role
from streams.scope import TenantScope
from streams.search_index import SearchIndex
from tests.contract.index_asking import like_the_oracle
from tests.contract.search_index import SearchIndexContract
from tests.servers.fixtures import made
from tests.servers.opensearch import NEXT, OpenSearch

_SECURITY = "_plugins/_security/api"


class Pooling(OpenSearchIndex):
    """Every tenant is pooled, whatever is asked for."""

    async def prepare(self, scope: TenantScope, *, pooled: bool = True) -> bool:  # noqa: ARG002
        return await super().prepare(scope, pooled=True)


@pytest.fixture(scope="module")
def connection(opensearch: OpenSearch) -> Iterator[OpenSearchConnection]:
    """As the service's user, under a new prefix."""
    name, password = f"contract-{secrets.token_hex(4)}", f"{secrets.token_urlsafe(24)}-Aa1"
    opensearch.ask("PUT", f"{_SECURITY}/roles/{name}", service_role(name))
    opensearch.ask("PUT", f"{_SECURITY}/internalusers/{name}", {"password": password})
    opensearch.ask("PUT", f"{_SECURITY}/rolesmapping/{name}", {"users": [name]})
    yield OpenSearchConnection.from_url(
        f"opensearch://{name}@{opensearch.host}:{opensearch.port}/{name}?tls=true&cafile={opensearch.ca}", password
    )
    opensearch.request("DELETE", f"{name}-*")
    for kind in ("internalusers", "rolesmapping", "roles"):
        opensearch.ask("DELETE", f"{_SECURITY}/{kind}/{name}")


class TestOpenSearchIndex(SearchIndexContract):
    kind = OpenSearchIndex
    test_answers_like_the_oracle = like_the_oracle(8)
    test_answers_like_the_oracle_at_length = pytest.mark.long(like_the_oracle(200))

    @pytest.fixture
    async def index(self, opensearch: OpenSearch, connection: OpenSearchConnection) -> AsyncIterator[SearchIndex]:
        index = self.kind(connection)
        yield index
        await index.close()
        opensearch.request("DELETE", f"{connection.prefix}-*")


class TestPooledTenants(TestOpenSearchIndex):
    kind = Pooling


@pytest.fixture(scope="module")
def opensearch_3() -> Iterator[OpenSearch]:
    """The next OpenSearch, without security, where there is a Java for it."""
    enable_socket()
    with made(lambda: OpenSearch(NEXT), "opensearch 3") as server:
        yield server


@pytest.mark.long
@pytest.mark.allow_hosts(["127.0.0.1"])
class TestOpenSearch3(SearchIndexContract):
    kind = OpenSearchIndex

    @pytest.fixture
    async def index(self, opensearch_3: OpenSearch) -> AsyncIterator[SearchIndex]:
        prefix = f"contract-{secrets.token_hex(4)}"
        index = self.kind(OpenSearchConnection.from_url(f"opensearch://{opensearch_3.host}:{opensearch_3.port}/{prefix}"))
        yield index
        await index.close()
        opensearch_3.request("DELETE", f"{prefix}-*")


class TestPooledTenantsOnOpenSearch3(TestOpenSearch3):
    kind = Pooling
