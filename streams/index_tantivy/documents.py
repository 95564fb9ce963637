"""An entry as the JSON that tantivy takes."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.event import with_position
from streams.fields import trim
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
from streams.query.flat import leaves, text_of
from streams.query.times import iso_to_ms
from streams.query.words import words
from streams.search_index import Entry

_SINGLE_TEXTS = frozenset(TEXTS)
_OTHER_DATES = tuple(name for name in NUMBERS if name not in {POSITION, TIME})
_ADDRESS_TEXTS = {name: address_text(name) for name in ADDRESSES}
_LIMIT = 1 << 63

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
        LEAVES: [leaf_term(path, text) for path, text in leaves(event.get(LEAVES))],
    }
    get = event.get
    for name in KEYWORDS:
        value = get(name)
        if value is not None:
            row[name] = trim(value) if value.__class__ is str else _texts(value)
    for name in _OTHER_DATES:
        value = get(name)
        at = iso_to_ms(value) if isinstance(value, str) else None
        if at is not None:
            row[name] = at
    for name, text_name in _ADDRESS_TEXTS.items():
        value = get(name)
        address = canonical(value) if isinstance(value, str) else None
        if address is not None:
            row[name] = row[text_name] = address
    spoken = []
    for name in WORD_FIELDS:
        value = get(name)
        if value is not None:
            parts = [" ".join(words(text)) for text in _texts(value)]
            spoken += parts
            if name in _SINGLE_TEXTS:
                row[name] = BETWEEN_VALUES.join(["", *parts])  # at least one sign, so that it is found to be there
    row[ALL_WORDS] = BETWEEN_VALUES.join(spoken)
    return _encode(row).decode()


def _texts(value: Any) -> list[str]:
    """A field's values as trimmed texts, each once, so that a value is counted once an event."""
    elements = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(trim(text) for element in elements if (text := text_of(element)) is not None))
