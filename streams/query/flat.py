"""The source's own object as flat leaves: what `idp.some.path` compares with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streams.fields import trim


def text_of(value: Any) -> str | None:
    """A leaf as text: strings as they are, numbers and booleans as JSON writes them; None if it is no leaf, or null."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return msgspec.json.encode(value).decode()
    return None


def below(path: str, key: str) -> str:
    """The path of what an object at `path` holds under `key`."""
    return f"{path}.{key}" if path else key


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The paths and texts of all leaves: keys joined with dots, arrays element by element, null as if absent; trimmed."""
    stack: list[tuple[str, Any]] = [(path, value)]  # not recursive: how deep a document nests is not ours to decide
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend((below(path, key), inner) for key, inner in value.items())
        elif isinstance(value, list | tuple):
            stack.extend((path, inner) for inner in value)
        else:
            text = text_of(value)
            if text is not None:
                yield trim(path), trim(text)
