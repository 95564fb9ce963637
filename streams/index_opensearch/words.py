"""Texts as the words that an index of OpenSearch holds, separated by spaces.

OpenSearch's `whitespace` analyzer cuts what is longer than 255 characters, so a long word is cut here, into parts that are told from
words: `-` stands where it goes on. So a word is never mistaken for a part of a longer one, and the parts of one word follow each other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from streams.fields import trim
from streams.query.words import words

BETWEEN_VALUES: Final = " | "
THERE: Final = "|"
"""The first sign of a text field, so that it is found to be there even if it has no words."""
_PART: Final = 120
"""Characters; one may count twice, as OpenSearch counts."""
_REMEMBERED: Final = 256
"""Longer texts rarely come again, and would fill the memory."""


def spoken(text: str) -> str:
    """The words of a value. They have no sign that JSON escapes."""
    return _remembered(text) if len(text) <= _REMEMBERED else _spoken(text)


def tokens(wanted: tuple[str, ...], *, prefix: bool) -> list[str]:
    """The words of a query, cut in the same way; with `prefix`, what begins like the last word begins like the last token."""
    found = [part for word in (wanted[:-1] if prefix else wanted) for part in _parts(word)]
    if prefix:
        parts = _parts(wanted[-1])
        if len(parts) > 1 and len(parts[-1]) == 1:  # nothing is left of it but that the word goes on
            parts.pop()
        found += parts
    return found


def _spoken(text: str) -> str:
    found = words(trim(text))
    if any(len(word) > _PART for word in found):
        found = [part for word in found for part in _parts(word)]
    return " ".join(found)


_remembered = lru_cache(maxsize=32768)(_spoken)


def _parts(word: str) -> list[str]:
    if len(word) <= _PART:
        return [word]
    cut = [word[begin : begin + _PART] for begin in range(0, len(word), _PART)]
    return [f"{cut[0]}-", *(f"-{part}-" for part in cut[1:-1]), f"-{cut[-1]}"]
