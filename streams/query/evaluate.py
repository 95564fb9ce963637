"""Whether one event matches a query: what every search index must agree with, and what rules use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.fields import BY_NAME, FIELDS, FieldType, trim
from streams.query import addresses
from streams.query.flat import leaves, text_of
from streams.query.times import iso_to_ms
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words
from streams.query.words import words

_WORD_FIELDS = tuple(field.name for field in FIELDS if field.words)


def matches(query: Query, event: Mapping[str, Any]) -> bool:
    """Whether the query finds the event, given decoded: flat ECS names, the source's own object under `idp`."""
    match query:
        case MatchAll():
            return True
        case And(parts):
            return all(matches(part, event) for part in parts)
        case Or(parts):
            return any(matches(part, event) for part in parts)
        case Not(part):
            return not matches(part, event)
        case Term(field, value):
            if _type(field) is FieldType.IP:
                wanted = addresses.number(value)
                return wanted is not None and any(addresses.number(text) == wanted for text in _texts(field, event))
            return any(text == trim(value) for text in _texts(field, event))
        case Prefix(field, value):
            return any(text.startswith(trim(value)) for text in _texts(field, event))
        case Words(field, wanted, prefix):
            return any(
                _follow(words(text), wanted, prefix=prefix) for name in ([field] if field else _WORD_FIELDS) for text in _texts(name, event)
            )
        case TimeRange(field, first, last):
            times = (iso_to_ms(text) for text in _texts(field, event))
            return any(at is not None and (first is None or first <= at) and (last is None or at <= last) for at in times)
        case AddressRange(field, lowest, highest):
            numbers = (addresses.number(text) for text in _texts(field, event))
            return any(number is not None and lowest <= number <= highest for number in numbers)


def _type(field: str) -> FieldType:
    known = BY_NAME.get(field)
    return known.type if known else FieldType.FLAT


def _texts(field: str, event: Mapping[str, Any]) -> Iterator[str]:
    """The field's values as an index holds them: as text, one by one, trimmed."""
    root, _, path = field.partition(".")
    if _type(field) is FieldType.FLAT:
        path = trim(path)
        yield from (leaf for found, leaf in leaves(event.get(root)) if found == path)
        return
    value = event.get(field)
    for element in value if isinstance(value, list | tuple) else (value,):
        text = text_of(element)
        if text is not None:
            yield trim(text)


def _follow(found: list[str], wanted: tuple[str, ...], *, prefix: bool) -> bool:
    """Whether the wanted words follow each other somewhere; with `prefix`, the last one need only begin so."""
    head, last = list(wanted[:-1]), wanted[-1]
    for at in range(len(found) - len(wanted) + 1):
        end = found[at + len(wanted) - 1]
        if found[at : at + len(head)] == head and (end.startswith(last) if prefix else end == last):
            return True
    return False
