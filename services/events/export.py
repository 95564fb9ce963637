"""An export: all events that a question finds at one moment, of any number in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from services.events.tail import Tail
from streams.errors import SearchIndexError
from streams.search_index import Hit

PER_TENANT: Final = 4
IN_ALL: Final = 50
_PAGE: Final = 1000
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to read a page: an export of an hour should survive an index that is busy for a moment."""


class Export:
    """Events in the order of the log, as documents.

    The moment is a position in the log. No event in front of it comes later and none changes, so the same export again is the same bytes.

    Attributes:
        upto: the position.
        about: how many events there are, as far as is known when it begins: some behind the position may be among them.
    """

    def __init__(self, tail: Tail, upto: int, about: int) -> None:
        """`tail` begins where the export does."""
        self._tail = tail
        self.upto = upto
        self.about = about

    async def pages(self) -> AsyncGenerator[Sequence[Hit], None]:
        """The events, page by page, each read when the one before it has been dealt with.

        Raises:
            SearchIndexError: the index can't answer, and could not for a quarter of a minute.
        """
        while self._tail.place < self.upto:
            if hits := await self._read():
                yield hits

    async def _read(self) -> Sequence[Hit]:
        for pause in _PAUSES:
            try:
                return await self._tail.read(self.upto, _PAGE)
            except SearchIndexError:
                await asyncio.sleep(pause)
        return await self._tail.read(self.upto, _PAGE)
