"""What OpenSearch's refusals mean for a call about one tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from streams.errors import IndexMissing, IndexUnavailable, QueryError, StreamsError
from streams.index_opensearch.client import Refused
from streams.index_opensearch.counts import too_many_buckets

_MISSING: Final = frozenset({"index_not_found_exception", "alias_not_found_exception", "aliases_not_found_exception"})
_TOO_MANY_CLAUSES: Final = ("too_many_clauses", "too_many_nested_clauses")


def told(tenant: str, refused: Refused) -> StreamsError:
    """The port's error."""
    kinds = {refused.kind, *_causes(refused.answer)}
    if refused.status == 404 and kinds & _MISSING:
        return IndexMissing(tenant)
    if "too_many_buckets_exception" in kinds:
        return too_many_buckets()
    if kinds & set(_TOO_MANY_CLAUSES):
        return QueryError("the query has too many clauses", hint="ask in several queries")
    if refused.status in {401, 403} and "cluster_block_exception" not in kinds:
        return IndexUnavailable(f"OpenSearch refuses what is asked of it ({refused}); see the user's role, name and password")
    return IndexUnavailable(
        f"OpenSearch can't answer about the index of tenant {tenant!r} now ({refused}: {', '.join(sorted(kinds))[:200]})"
    )


def _causes(answer: Any) -> Iterator[str]:
    """The types of all errors in an answer: what matters may be deep in that of a shard."""
    stack = [answer]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(kind := value.get("type"), str):
                yield kind
            stack += value.values()
        elif isinstance(value, list):
            stack += value
