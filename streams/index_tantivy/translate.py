"""A query's tree as a query of tantivy."""

from __future__ import annotations

from typing import Final

import tantivy
from tantivy import FieldType as Kind
from tantivy import Occur, Schema

from streams import position as positions
from streams.errors import QueryError
from streams.fields import BY_NAME, FieldType, trim
from streams.index_tantivy.schema import ALL_WORDS, COUNTED, IDENTITY, LEAVES, POSITION, address_text, leaf_term
from streams.query import addresses
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words

_FIRST: Final = -(1 << 63)
_LAST: Final = (1 << 63) - 1
_LONGEST_PATTERN: Final = 200
"""Regular expressions are refused by tantivy beyond 1,000 states, about one a byte."""


class Translator:
    """Translates for one schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def translate(self, query: Query) -> tantivy.Query:
        """The same question for tantivy.

        Raises:
            QueryError: the tree asks a field for what its type does not take.
        """
        match query:
            case MatchAll():
                return tantivy.Query.all_query()
            case And(parts):
                return both(*map(self.translate, parts))
            case Or(parts):
                return tantivy.Query.boolean_query([(Occur.Should, self.translate(part)) for part in parts])
            case Not(part):  # tantivy finds nothing for what only forbids
                return tantivy.Query.boolean_query([(Occur.Must, tantivy.Query.all_query()), (Occur.MustNot, self.translate(part))])
            case Term(field, value):
                return self._term(field, value)
            case Prefix(field, value):
                return self._prefix(field, value)
            case Words(field, wanted, prefix):
                return self._words(field, wanted, prefix=prefix)
            case TimeRange(field, first, last):
                return self.numbers(field, first, last)
            case AddressRange(field, lowest, highest):
                return self._addresses(field, lowest, highest)

    def numbers(self, field: str, first: int | None, last: int | None) -> tantivy.Query:
        """Events whose integer `field` is there and in `[first, last]`; None is open."""
        first, last = max(_FIRST, first if first is not None else _FIRST), min(_LAST, last if last is not None else _LAST)
        if first > last:
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(self._schema, field, Kind.Integer, first, last)

    def identities(self, event_ids: list[str]) -> tantivy.Query:
        """Events with one of these ids."""
        return tantivy.Query.term_set_query(self._schema, IDENTITY, [trim(event_id) for event_id in event_ids])

    def _term(self, field: str, value: str) -> tantivy.Query:
        if field == POSITION:
            return self._position_prefix(value) if len(value) == 16 else tantivy.Query.empty_query()
        if _type(field) is FieldType.IP:
            address = addresses.number(value)
            return tantivy.Query.empty_query() if address is None else self._addresses(field, address, address)
        return tantivy.Query.term_query(self._schema, *self._raw(field, trim(value)))

    def _prefix(self, field: str, value: str) -> tantivy.Query:
        if field == POSITION:
            return self._position_prefix(value)
        if not value:
            if field == IDENTITY:
                return tantivy.Query.all_query()
            if field in COUNTED:
                return tantivy.Query.exists_query(COUNTED[field])
        elif _type(field) is FieldType.TEXT:
            raise QueryError(f"`{field}` takes words, not beginnings of its value")
        return self._begins(*self._raw(field, trim(value)))

    def _begins(self, field: str, value: str) -> tantivy.Query:
        # Not `phrase_prefix_query`, which looks at the first fifty terms only.
        return tantivy.Query.fuzzy_term_query(self._schema, field, value, distance=0, prefix=True)

    def _raw(self, field: str, value: str) -> tuple[str, str]:
        """The field and the term that hold a value of `field`."""
        if _type(field) is FieldType.FLAT:
            return LEAVES, leaf_term(trim(field.partition(".")[2]), value)
        return field, value

    def _position_prefix(self, value: str) -> tantivy.Query:
        """A position is held as an integer, and asked for by the beginning of its sixteen digits."""
        if len(value) > 16 or not set(value) <= set("0123456789abcdef"):
            return tantivy.Query.empty_query()
        first, last = int(value.ljust(16, "0"), 16), int(value.ljust(16, "f"), 16)
        return self.numbers(POSITION, first + positions.BEGINNING, last + positions.BEGINNING)

    def _words(self, field: str | None, wanted: tuple[str, ...], *, prefix: bool) -> tantivy.Query:
        if field is not None and _type(field) is not FieldType.TEXT:
            raise QueryError(f"`{field}` takes whole values, not words")
        name = ALL_WORDS if field is None else field
        if len(wanted) == 1:
            return self._begins(name, wanted[0]) if prefix else tantivy.Query.term_query(self._schema, name, wanted[0])
        if prefix and sum(len(word.encode()) for word in wanted) > _LONGEST_PATTERN:
            return tantivy.Query.phrase_prefix_query(self._schema, name, list(wanted))  # fifty words that begin so are plenty
        if prefix:  # words are letters and digits only, so they are their own regular expressions
            return tantivy.Query.regex_phrase_query(self._schema, name, [*wanted[:-1], wanted[-1] + ".*"])
        return tantivy.Query.phrase_query(self._schema, name, list(wanted))

    def _addresses(self, field: str, lowest: int, highest: int) -> tantivy.Query:
        if (lowest, highest) == (addresses.LOWEST, addresses.HIGHEST):
            return tantivy.Query.exists_query(address_text(field))
        lowest, highest = max(lowest, addresses.LOWEST), min(highest, addresses.HIGHEST)
        if lowest > highest:
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(self._schema, field, Kind.IpAddr, addresses.text_of(lowest), addresses.text_of(highest))


def both(*queries: tantivy.Query) -> tantivy.Query:
    """All of the queries."""
    return tantivy.Query.boolean_query([(Occur.Must, query) for query in queries])


def _type(field: str) -> FieldType:
    known = BY_NAME.get(field)
    return known.type if known else FieldType.FLAT
