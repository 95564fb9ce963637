"""A list that tells how many of its elements were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Watched(list[Any]):
    """The list; `taken` counts."""

    taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self._counted(super().__iter__())

    def __reversed__(self) -> Iterator[Any]:
        return self._counted(super().__reversed__())

    def _counted(self, elements: Iterator[Any]) -> Iterator[Any]:
        for element in elements:
            self.taken += 1
            yield element
