"""The tenants' indexes on the OpenSearch that every pipeline writes into."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from streams.index_opensearch.names import Names
from tests.servers.opensearch import OpenSearch

_QUIET_SECONDS = 120
_SEARCH_IDLE_SECONDS = 31.0
_MAX_TENANTS = 20_000


class Indexes:
    """What the benchmark asks OpenSearch, over one kept connection."""

    def __init__(self, server: OpenSearch, prefix: str) -> None:
        assert server.ca is not None, "the benchmark's OpenSearch has TLS and users"
        self.port = server.port
        self.ca = server.ca
        self.user = server.admin
        self.password = server.password
        self._names = Names(prefix, 2)
        self._searched = -_SEARCH_IDLE_SECONDS
        self._client = httpx.Client(base_url=server.url, auth=(self.user, self.password), verify=str(self.ca), timeout=120)

    def alias(self, tenant: str) -> str:
        """The name through which a tenant's documents are written."""
        return self._names.alias(tenant)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer, as JSON."""
        answer = self._client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json()

    def written(self) -> int:
        """How many documents were written since the server started, in all indexes."""
        nodes = self.ask("GET", "/_nodes/stats/indices/indexing?filter_path=nodes.*.indices.indexing.index_total")["nodes"]
        return sum(int(node["indices"]["indexing"]["index_total"]) for node in nodes.values())

    def counts(self) -> Mapping[str, int]:
        """How many documents each tenant has in its index, once all that was written can be found."""
        self.ask("POST", f"/{self._everything}/_refresh?filter_path=_shards.total")
        stats = self.ask("GET", f"/{self._everything}/_stats/docs?filter_path=indices.*.primaries.docs.count").get("indices", {})
        counts: dict[str, int] = {}
        for name, one in stats.items():
            if self._names.pooled(name):
                continue
            tenant = self._names.tenant_of(name).partition("_")[0]
            counts[tenant] = counts.get(tenant, 0) + int(one["primaries"]["docs"]["count"])
        return counts | self._in_pools()

    def settle(self) -> None:
        """Returns when the engine has nothing left to do: what one pipeline leaves behind must not slow the next.

        An index that was searched is refreshed each second for a while. Nobody searches what the pipelines write, but only a search can
        count the events in pools, so that must have been a while ago.
        """
        time.sleep(max(0.0, self._searched + _SEARCH_IDLE_SECONDS - time.monotonic()))
        self.ask("POST", f"/{self._everything}/_flush?filter_path=_shards.total")
        deadline = time.monotonic() + _QUIET_SECONDS
        while self._merging():
            assert time.monotonic() < deadline, f"OpenSearch was still merging after {_QUIET_SECONDS} s"
            time.sleep(0.2)

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    @property
    def _everything(self) -> str:
        return f"{self._names.prefix}-*"

    def _in_pools(self) -> dict[str, int]:
        tenants = {"terms": {"field": "tenant.id", "size": _MAX_TENANTS}}
        answer = self.ask("POST", f"/{self._names.every_pool}/_search?size=0", {"aggs": {"tenants": tenants}})
        if "aggregations" in answer:  # there are pools
            self._searched = time.monotonic()
        buckets = answer.get("aggregations", {}).get("tenants", {}).get("buckets", [])
        return {bucket["key"]: int(bucket["doc_count"]) for bucket in buckets}

    def _merging(self) -> bool:
        nodes = self.ask("GET", "/_nodes/stats/indices/merge?filter_path=nodes.*.indices.merges.current")["nodes"]
        return any(node["indices"]["merges"]["current"] for node in nodes.values())
