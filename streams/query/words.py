"""How text becomes words: the one analysis that every search index, and every query, uses."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, in lower case. `Invalid_user credentials` has three."""
    return _WORD.findall(text.lower())
