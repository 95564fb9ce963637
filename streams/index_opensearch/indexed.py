"""An entry in its indexed form: what each field holds for the contract, and the original as a text."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams import position as positions
from streams.event import iso
from streams.fields import MAX_LEAVES_BYTES, trim
from streams.index_opensearch.documents import fits, path_of, positioned
from streams.index_opensearch.schema import ADDRESSES, DATES, IDENTITY, KEYWORDS, LEAVES, OURS, SOURCE_POSITION, TEXTS, WORD_FIELDS
from streams.index_opensearch.words import BETWEEN_VALUES, THERE, spoken
from streams.query.addresses import canonical
from streams.query.flat import leaves, text_of
from streams.query.times import iso_to_ms
from streams.search_index import Entry

_MAX_LEAF: Final = 32_000
"""Bytes of a path and its value: Lucene refuses terms over 32,766, which begin with `idp.`."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def indexed(tenant: str, entry: Entry) -> bytes:
    """The indexed form.

    Raises:
        ValueError: it can never be indexed; the message says why.
    """
    if not fits(entry):
        raise ValueError("its time or position does not fit 64 bits")
    try:
        event = _decode(entry.document)
        whole = positioned(entry.document, entry.position).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"its document is not a JSON object: {error}") from None
    said = [spoken(text) for name in WORD_FIELDS for text in texts(event.get(name))]
    ours: dict[str, Any] = {
        "whole": whole,
        "owner": tenant,
        "position": entry.position,
        "time": entry.time,
        "words": BETWEEN_VALUES.join(said),
    }
    row: dict[str, Any] = {
        OURS: ours,
        IDENTITY: trim(entry.event_id),
        SOURCE_POSITION: positions.render(entry.position),
        LEAVES: _leaf_texts(event.get(LEAVES)),
    }
    for name in (*KEYWORDS, *TEXTS):
        if found := texts(event.get(name)):
            row[name] = found
    for name in TEXTS:
        if name in row:
            ours[name] = f"{THERE} {BETWEEN_VALUES.join(map(spoken, row[name]))}"
    for name in DATES:
        if times := [at for text in texts(event.get(name)) if (at := iso_to_ms(text)) is not None]:
            row[name] = [iso(at) for at in times]
    for name in ADDRESSES:
        if found := [address for text in texts(event.get(name)) if (address := canonical(text)) is not None]:
            row[name] = found
    return _encode(row)


def texts(value: Any) -> list[str]:
    """A field's values as trimmed texts, each once, so that a value is counted once an event."""
    elements = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(trim(text) for element in elements if (text := text_of(element)) is not None))


def _leaf_texts(source: Any) -> dict[str, list[str]]:
    """The source's object with one level: its paths and their texts."""
    found: dict[str, list[str]] = {}
    room = MAX_LEAVES_BYTES
    for at, text in leaves(source):
        path = path_of(at)
        size = len(path.encode()) + len(text.encode())
        room -= size
        if room < 0:
            break
        if size <= _MAX_LEAF:
            found.setdefault(path, []).append(text)
    return found
