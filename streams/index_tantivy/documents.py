"""An entry as the JSON that tantivy takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from streams.event import with_position
from streams.fields import MAX_LEAVES_BYTES, MAX_TERM_CHARACTERS, trim
from streams.index_tantivy.schema import (
    ADDRESSES,
    ALL_WORDS,
    BETWEEN_VALUES,
    IDENTITY,
    KEYWORDS,
    LEAVES,
    NUMBERS,
    POSITION,
    SOURCE,
    TEXTS,
    TIME,
    WORD_FIELDS,
    address_text,
    leaf_term,
)
from streams.query.addresses import canonical
from streams.query.flat import below, leaves, text_of
from streams.query.times import iso_to_ms
from streams.query.words import words
from streams.search_index import Entry

_OTHER_DATES = tuple(name for name in NUMBERS if name not in {POSITION, TIME})
_ADDRESS_TEXTS = tuple((name, address_text(name)) for name in ADDRESSES)
_LIMIT = 1 << 63
_REMEMBERED = 256
"""Longer texts rarely come again, and would fill the memory."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def to_json(entry: Entry) -> str:
    """The entry as tantivy's `add_json` takes it.

    Raises:
        ValueError: it can never be indexed; the message says why.
    """
    if not (-_LIMIT <= entry.time < _LIMIT and -_LIMIT <= entry.position < _LIMIT):
        raise ValueError("its time or position does not fit 64 bits")
    try:
        event = _decode(entry.document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"its document is not a JSON object: {error}") from None
    row: dict[str, Any] = {
        SOURCE: with_position(entry.document, entry.position),
        IDENTITY: trim(entry.event_id),
        POSITION: entry.position,
        TIME: entry.time,
        LEAVES: _leaf_terms(event.get(LEAVES)),
    }
    get = event.get
    for name in KEYWORDS:
        value = get(name)
        if value.__class__ is str:
            row[name] = value[:MAX_TERM_CHARACTERS]
        elif value is not None:
            row[name] = _texts(value)
    for name in _OTHER_DATES:
        value = get(name)
        at = iso_to_ms(value) if value.__class__ is str else None
        if at is not None:
            row[name] = at
    for name, text_name in _ADDRESS_TEXTS:
        value = get(name)
        address = canonical(value) if value.__class__ is str else None
        if address is not None:
            row[name] = row[text_name] = address
    said = []
    for name in WORD_FIELDS:
        value = get(name)
        if value.__class__ is str:
            said.append(_remembered(value) if len(value) <= _REMEMBERED else _spoken(value))
        elif value is not None:
            said += map(_spoken, _texts(value))
    row[ALL_WORDS] = BETWEEN_VALUES.join(said)
    for name in TEXTS:
        if get(name) is not None:  # at least one sign between values, so that it is found to be there
            row[name] = BETWEEN_VALUES.join(["", *map(_spoken, _texts(get(name)))])
    return _encode(row).decode()


def _texts(value: Any) -> list[str]:
    """A field's values as trimmed texts, each once, so that a value is counted once an event."""
    elements = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(trim(text) for element in elements if (text := text_of(element)) is not None))


def _spoken(text: str) -> str:
    return " ".join(words(trim(text)))


_remembered = lru_cache(maxsize=16384)(_spoken)


def _leaf_terms(source: Any) -> list[str]:
    """The terms of all leaves. The strings directly in the source's object and in the objects there, nearly all, go a short way."""
    if source.__class__ is not dict:
        return [leaf_term(path, text) for path, text in leaves(source)]
    terms: list[str] = []
    room = MAX_LEAVES_BYTES
    stack: list[tuple[str, Any]] = [("", source)]
    while stack:
        path, value = stack.pop()
        for key, inner in value.items():
            if inner.__class__ is str:
                start = _leaf_start(path, key) if len(path) + len(key) <= _REMEMBERED else _start(path, key)
                terms.append(term := start + inner[:MAX_TERM_CHARACTERS])
                room -= len(term)
            elif inner.__class__ is dict:
                stack.append((below(path, key), inner))
            elif inner is not None:
                for at, text in leaves(inner, below(path, key)):
                    terms.append(term := leaf_term(at, text))
                    room -= len(term)
                    if room < 0:
                        break
            if room < 0:  # an event of many long paths could otherwise become gigabytes
                return terms[:-1]
    return terms


def _start(path: str, key: str) -> str:
    return leaf_term(trim(below(path, key)), "")


_leaf_start = lru_cache(maxsize=16384)(_start)
