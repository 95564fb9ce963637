"""A tail: a reader's place in a tenant's log, and the question whose answers are read from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.events.cursor import Seal
from streams import position as positions
from streams.errors import CursorError
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Hit, Place, SearchIndex, last_page

LATEST: Final = "latest"
_BARE: Final = 16
"""Digits of a `log.position`; a sealed cursor is longer."""


class Tail:
    """Reads the log of the tenant in the scope, in its order: nothing is skipped, and nothing comes twice.

    The order is the log's, by position, and what is found is what a search finds: the index is asked for the positions behind the last
    one, and never for those beyond which it may still lack an event. So whatever delays a write, the event comes later, in its place.

    Attributes:
        scope: the tenant.
        place: the position up to which everything was read.
    """

    def __init__(self, index: SearchIndex, scope: TenantScope, query: Query, *, now: int, place: int, seal: Seal) -> None:
        """`now` is what `now` means in the query, in epoch milliseconds, for as long as the tail is read on."""
        self._index = index
        self._query = query
        self._now = now
        self._seal = seal
        self.scope = scope
        self.place = place

    async def read(self, upto: int, limit: int) -> Sequence[Hit]:
        """The next events, at most `limit`, up to the position `upto`, up to which everything must be found by searches."""
        if upto <= self.place:
            return ()
        hits = await self._index.tail(self.scope, self._query, after=self.place, upto=upto, limit=limit)
        self.place = upto if last_page(hits, limit) else hits[-1].position
        return hits

    def cursor(self, place: int | None = None) -> str:
        """The cursor with which the same tail is read on behind this position, by default behind what was read."""
        return self._seal.seal(self._now, Place(0, self.place if place is None else place))


def is_bare(after: str) -> bool:
    """Whether a tail that begins there begins anew, rather than going on from an answer."""
    return len(after) == _BARE or after in {"", LATEST}


def beginning(after: str) -> int:
    """The position behind which a tail begins anew.

    Raises:
        CursorError: it is no `log.position`.
    """
    if not after:
        return positions.BEGINNING
    try:
        return positions.parse(after)
    except ValueError as error:
        raise CursorError from error
