"""Prefixes of any length, though OpenSearch takes none over some 950 bytes.

A value that is longer than a part is held in parts, too: each behind the hash of all that comes before it. A long prefix is then the
hash of all of it but its last part, and a short prefix of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from streams.fields import MAX_LEAVES_BYTES, trim
from streams.index_opensearch.documents import path_of
from streams.index_opensearch.schema import KEYWORDS, LEAVES
from streams.query.flat import leaves, text_of

_PART: Final = 200
"""Characters: 800 bytes at most."""
SHORT_VALUE: Final = 130
SHORT_PATH: Final = 60
"""A value and a path of these lengths are never longer than a part together, with what stands before and between them."""


def all_parts(event: Mapping[str, Any]) -> list[str]:
    """The terms of all long values of an event; of its source's object, as many as of it are searched at all."""
    found = [part for term in _keywords(event) for part in _parts(term)]
    room = MAX_LEAVES_BYTES
    for path, text in leaves(event.get(LEAVES)):
        room -= len(path) + len(text)
        if room < 0:
            break
        found += _parts(f"{LEAVES}.{path_of(path)}={text}")
    return found


def long_prefix(field: str, value: str) -> str | None:
    """The prefix of such terms that finds the values that begin with `value`; None if it is short enough itself."""
    term = f"{field}={value}"
    if len(term) <= _PART:
        return None
    begin = (len(term) - 1) // _PART * _PART
    return _key(term[:begin]) + term[begin:]


def _keywords(event: Mapping[str, Any]) -> Iterator[str]:
    for name in KEYWORDS:
        value = event.get(name)
        for element in value if isinstance(value, list) else (value,):
            text = text_of(element)
            if text is not None:
                yield f"{name}={trim(text)}"


def _parts(term: str) -> list[str]:
    return [_key(term[:begin]) + term[begin : begin + _PART] for begin in range(_PART, len(term), _PART)]


def _key(head: str) -> str:
    return hashlib.sha256(head.encode(errors="surrogatepass")).hexdigest()[:32] + "="
