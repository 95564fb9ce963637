"""The search index on OpenSearch: an index of its own for each tenant, or a share of a pool."""

from streams.index_opensearch.access import TenantAccess, service_role
from streams.index_opensearch.connection import OpenSearchConnection
from streams.index_opensearch.index import OpenSearchIndex

__all__ = ["OpenSearchConnection", "OpenSearchIndex", "TenantAccess", "service_role"]
