"""The source's own object as flat leaves: what `idp.some.path` compares with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
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


def leaves(value: Any, path: str = "", most: int | None = None) -> Iterator[tuple[str, str]]:
    """The paths and texts of all leaves: keys joined with dots, arrays element by element, null as if absent; trimmed.

    `most` is how many values are looked at, leaves or not; what comes behind them is as if absent. Without it, all are.
    """
    # Not recursive: how deep a document nests is not ours to decide. Each path is made when its turn comes: those of all keys of an object
    # together, below one long key, could be gigabytes.
    stack: list[Iterator[tuple[str, Any]]] = [iter([(path, value)])]
    looked = 0
    while stack and looked != most:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        looked += 1
        path, value = found
        if isinstance(value, dict):
            stack.append(_inside(trim(path), value))
        elif isinstance(value, list | tuple):
            stack.append(zip(repeat(path), reversed(value), strict=False))
        else:
            text = text_of(value)
            if text is not None:
                yield trim(path), trim(text)


def texts_at(value: Any, path: str, most: int) -> Iterator[str]:
    """The texts of the leaves that `leaves` has at this path, in the order of the document.

    Only what may lead there is looked at, and at most `most` values of it.
    """
    stack: list[Iterator[tuple[str | None, Any]]] = [iter([(trim(path), value)])]
    looked = 0
    while stack and looked != most:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        looked += 1
        rest, value = found
        if isinstance(value, list | tuple):
            stack.append(zip(repeat(rest), value, strict=False))
        elif isinstance(value, dict):
            if rest is not None:
                stack.append(_towards(rest, value))
        elif rest is None and (text := text_of(value)) is not None:
            yield trim(text)


def _inside(path: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((below(path, key), inner) for key, inner in reversed(value.items()))


def _towards(path: str, value: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """What stands in the object where the path begins, and what is left of the path: None at its end. Keys may have dots, too."""
    at = path.find(".")
    while at >= 0:
        yield path[at + 1 :], value.get(path[:at])
        at = path.find(".", at + 1)
    yield None, value.get(path)
