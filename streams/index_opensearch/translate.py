"""A query's tree in OpenSearch's Query DSL. Everything is asked as a filter: nothing is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from streams.errors import QueryError
from streams.fields import BY_NAME, FieldType, trim
from streams.index_opensearch.documents import path_of
from streams.index_opensearch.schema import IDENTITY, LEAVES, MESSAGE, POSITION, SOURCE_POSITION, TIME, WORDS
from streams.index_opensearch.words import THERE, tokens
from streams.query import addresses
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words

Asked = dict[str, Any]
"""A query as OpenSearch takes it."""

_FIRST: Final = -(1 << 63)
_LAST: Final = (1 << 63) - 1
_ALL: Final[Asked] = {"match_all": {}}
_NOTHING: Final[Asked] = {"match_none": {}}


def translate(query: Query, known: Mapping[Query, Asked] = MappingProxyType({})) -> Asked:
    """The same question for OpenSearch.

    Args:
        query: what is asked.
        known: parts of it that have been translated already, phrases whose last word is open among them.

    Raises:
        QueryError: the tree asks a field for what its type does not take.
    """
    match query:
        case MatchAll():
            return _ALL
        case And(parts):
            return both(*(translate(part, known) for part in parts))
        case Or(parts):
            return {"bool": {"should": [translate(part, known) for part in parts], "minimum_should_match": 1}}
        case Not(part):
            return {"bool": {"must_not": [translate(part, known)]}}
        case Prefix() | Words() if query in known:
            return known[query]
        case Term(field, value):
            return _term(field, value)
        case Prefix(field, value):
            return _prefix(field, value)
        case Words():
            return _words(query)
        case TimeRange(field, first, last):
            return numbers(TIME if field == "@timestamp" else field, first, last)
        case AddressRange(field, lowest, highest):
            return _addresses(field, lowest, highest)


def both(*queries: Asked) -> Asked:
    """All of the queries."""
    return {"bool": {"filter": list(queries)}}


def numbers(field: str, first: int | None, last: int | None) -> Asked:
    """Events whose number or date `field` is there and in `[first, last]`; None is open."""
    first, last = max(_FIRST, first if first is not None else _FIRST), min(_LAST, last if last is not None else _LAST)
    if first > last:
        return _NOTHING
    bounds: dict[str, Any] = {"gte": first, "lte": last}
    if field not in {TIME, POSITION}:
        bounds = {name: value for name, value in bounds.items() if value not in {_FIRST, _LAST}}
        if not bounds:
            return _exists(field)
        bounds["format"] = "epoch_millis"
    return {"range": {field: bounds}}


def _exists(field: str) -> Asked:
    return {"exists": {"field": field}}


def _term(field: str, value: str) -> Asked:
    if _type(field) is FieldType.IP:
        address = addresses.canonical(value)
        return _NOTHING if address is None else {"term": {field: address}}
    return {"term": {raw(field): trim(value)}}


def _prefix(field: str, value: str) -> Asked:
    if not value and _type(field) is not FieldType.FLAT:
        if field in {IDENTITY, SOURCE_POSITION}:
            return _ALL
        return {"term": {MESSAGE: THERE}} if _type(field) is FieldType.TEXT else _exists(field)
    return {"prefix": {raw(field): {"value": trim(value)}}}


def raw(field: str) -> str:
    """The field that holds the values of `field` as they are.

    Raises:
        QueryError: none does.
    """
    match _type(field):
        case FieldType.FLAT:
            return f"{LEAVES}.{path_of(trim(field.partition('.')[2]))}"
        case FieldType.TEXT:
            raise QueryError(f"`{field}` takes words, not beginnings of its value")
        case _:
            return field


def words_of(query: Words) -> tuple[str, list[str]]:
    """The field that is asked for words, and the words as it holds them.

    Raises:
        QueryError: the field takes none.
    """
    if query.field is not None and _type(query.field) is not FieldType.TEXT:
        raise QueryError(f"`{query.field}` takes whole values, not words")
    return WORDS if query.field is None else MESSAGE, tokens(query.words, prefix=query.prefix)


def phrase(name: str, before: Sequence[str], last: Sequence[str]) -> Asked:
    """Events where these words follow each other, the last of them being any of `last`."""
    if len(last) == 1:
        words = [*before, *last]
        return {"match_phrase": {name: " ".join(words)}} if before else {"term": {name: words[0]}}
    if not last:
        return _NOTHING
    endings: Asked = {"span_or": {"clauses": [_word(name, word) for word in last]}}
    return {"span_near": {"clauses": [*(_word(name, word) for word in before), endings], "slop": 0, "in_order": True}}


def _word(name: str, word: str) -> Asked:
    return {"span_term": {name: word}}


def _words(query: Words) -> Asked:
    name, found = words_of(query)
    if not query.prefix:
        return phrase(name, found[:-1], found[-1:])
    assert len(found) == 1, "a phrase whose last word is open is known"
    return {"prefix": {name: {"value": found[0]}}}


def _addresses(field: str, lowest: int, highest: int) -> Asked:
    lowest, highest = max(lowest, addresses.LOWEST), min(highest, addresses.HIGHEST)
    if lowest > highest:
        return _NOTHING
    return {"range": {field: {"gte": addresses.text_of(lowest), "lte": addresses.text_of(highest)}}}


def _type(field: str) -> FieldType:
    known = BY_NAME.get(field)
    return known.type if known else FieldType.FLAT
