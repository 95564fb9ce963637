"""How large the tenants' indexes are: one search over all of them, which counts by owner and index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.index_opensearch.client import Client
from streams.index_opensearch.names import Names, generation_of
from streams.index_opensearch.schema import OWNER
from streams.index_opensearch.tenants import Tenants
from streams.search_index import Size

_MOST: Final = 20_000
"""Tenants in one answer: with three indexes each, they stay below what OpenSearch allows (`search.max_buckets`, 65,535)."""
_INDEXES: Final = 3
"""In which a tenant has documents: more than one while its index is built anew, or after that was killed."""
_SECONDS: Final = 20.0


class _Index(msgspec.Struct):
    key: str
    doc_count: int


class _Indexes(msgspec.Struct):
    buckets: list[_Index]


class _Owner(msgspec.Struct):
    key: str
    indexes: _Indexes


class _Owners(msgspec.Struct):
    buckets: list[_Owner]


class _Found(msgspec.Struct):
    owners: _Owners | None = None


class _Answer(msgspec.Struct):
    aggregations: _Found | None = None
    """None while there is no index at all."""


_decode = msgspec.json.Decoder(_Answer).decode


async def sizes(client: Client, names: Names, tenants: Tenants) -> Mapping[str, Size]:
    """The sizes of the largest tenants, 20,000 at most. What single indexes take on disk needs rights that Tenantry does not ask for.

    Raises:
        Refused: OpenSearch does not answer it.
        IndexUnavailable: there is no answer.
    """
    aggregation = {
        "terms": {"field": OWNER, "size": _MOST},
        "aggs": {"indexes": {"terms": {"field": "_index", "size": _INDEXES}}},
    }
    body = {"size": 0, "track_total_hits": False, "aggs": {"owners": aggregation}}
    path = f"/{names.everything}/_search?ignore_unavailable=true&allow_no_indices=true"
    found = _decode(await client.ask("POST", path, body, seconds=_SECONDS)).aggregations
    if found is None or found.owners is None:
        return {}
    return {one.key: Size(_present(one, tenants.known(one.key))) for one in found.owners.buckets}


def _present(owner: _Owner, known: str | None) -> int:
    """How many documents the index in use has; where it is not known which, that of the oldest generation: newer ones are being filled."""
    counts = {bucket.key: bucket.doc_count for bucket in owner.indexes.buckets}
    index = known if known in counts else min(counts, key=generation_of, default="")
    return counts.get(index, 0)
