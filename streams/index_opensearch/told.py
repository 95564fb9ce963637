"""What OpenSearch's refusals mean for a call about one tenant."""

from __future__ import annotations

from typing import Any, Final

from streams.errors import IndexMissing, IndexUnavailable, QueryError, StreamsError
from streams.index_opensearch.client import Refused
from streams.index_opensearch.questions import too_many_buckets

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


def _causes(answer: Any) -> list[str]:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return []
    found = [str(cause.get("type", "")) for cause in error.get("root_cause", ()) if isinstance(cause, dict)]
    inner = error.get("caused_by")
    while isinstance(inner, dict) and len(found) < 10:
        found.append(str(inner.get("type", "")))
        inner = inner.get("caused_by")
    return found
