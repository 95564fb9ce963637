"""How wide the columns of a table are on a terminal: what is short stays whole, what matters less is shortened or left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

GAP: Final = 2
"""Cells between two columns."""
_LEAST: Final = 12
"""Cells of a shortened value, with its `…`: enough to tell one from another."""
_WORD: Final = 28
"""Cells of what is never broken: a time, a state, an IPv4 address. What is longer may go on in the next line."""


def fitted(widths: Mapping[str, int], room: int, *, shorten: Collection[str] = (), drop: Sequence[str] = ()) -> dict[str, int]:
    """The columns to show, each with its width.

    Args:
        widths: each column with the cells that its widest value takes, in their order.
        room: how many cells a line has.
        shorten: columns whose values may be cut.
        drop: columns that a narrow terminal goes without, the first one first.
    """
    least = {name: min(width, _LEAST if name in shorten else _WORD) for name, width in widths.items()}
    going = [name for name in drop if name in least]
    while going and _needed(least) > room:
        del least[going.pop(0)]
    spare = max(0, room - _needed(least))
    for name, width in least.items():
        least[name] = width + min(spare, widths[name] - width)
        spare -= least[name] - width
    return least


def _needed(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)
