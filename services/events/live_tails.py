"""Live tails: tails that are read on as events come, for as long as somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final

from services.events.search import Search
from services.events.slots import Slots
from services.events.tail import Tail
from streams.errors import LogError, SearchIndexError
from streams.scope import TenantScope
from streams.search_index import Hit

PER_TENANT: Final = 20
IN_ALL: Final = 500
_PAGE: Final = 200
"""Events that are in memory for a client who does not take them."""
_POLL_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 2.0
"""The longest pause of a tail that finds nothing, while others' events move the log on: each look is a search."""
_TROUBLE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class News:
    """What a live tail says.

    Attributes:
        hits: the next events, in the order of the log; none, if it has only begun, or if a trouble is over.
        trouble: what keeps it from reading on, told once; it goes on trying.
    """

    hits: Sequence[Hit] = ()
    trouble: SearchIndexError | LogError | None = None


class LiveTails:
    """The live tails of this node.

    How far a tenant's log can be read is asked for a few times a second, once for all tails of the tenant: on Kafka, other processes
    write the index, and nothing tells when they have.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._slots = Slots("live tails", per_tenant=PER_TENANT, in_all=IN_ALL)
        self._asked: dict[str, asyncio.Task[int]] = {}
        self._closing = asyncio.Event()

    def enter(self, scope: TenantScope) -> AbstractContextManager[None]:
        """A slot for a live tail of the tenant.

        Raises:
            TooMany: none is free.
        """
        return self._slots.take(scope)

    async def follow(self, tail: Tail, check: Callable[[], object]) -> AsyncGenerator[News, None]:
        """Reads the tail on, until the service stops. The first news come at once, though there may be no event yet.

        Whoever is slow to ask for the next news is read nothing for meanwhile: at most one page is in memory, and none while
        it waits for events.

        Args:
            tail: what to read on.
            check: called before each attempt, and before what was read is handed out, since reading takes its time; what it raises
                ends the tail. For one: the token may have been revoked.

        Raises:
            QueryError: the index can't answer the question: before any news, or later, if the index has changed.
        """
        upto, begun, told, quiet = tail.place, False, "", 0.0
        while not self._closing.is_set():
            check()
            news: News | None = None
            try:
                if upto <= tail.place:
                    upto = await self._complete_up_to(tail.scope, wait=begun)
                moved = upto > tail.place
                hits = await tail.read(upto, _PAGE)
                check()
            except (SearchIndexError, LogError) as error:
                news = News(trouble=error) if str(error) != told else None
                told = str(error)
            else:
                news = News(hits) if hits or told or not begun else None
                told = ""
                quiet = min(_QUIET_SECONDS, max(_POLL_SECONDS, 2 * quiet)) if moved and not hits else 0.0
                del hits
            if news is not None:
                yield news
                del news  # a page may have megabytes, and the wait for the next one may last for days
            begun = True
            if pause := _TROUBLE_SECONDS if told else quiet:
                await self._rest(pause)

    def close(self) -> None:
        """Ends all of them, within a moment: their clients go on elsewhere from where they are."""
        self._closing.set()

    async def ended(self) -> None:
        """Ends all of them, and what is asked for them, whoever waits for it: when this returns, the index and the log may be closed."""
        self.close()
        under_way = tuple(self._asked.values())
        for asked in under_way:
            asked.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _complete_up_to(self, scope: TenantScope, *, wait: bool) -> int:
        """The position up to which everything is found now, or, if it is to `wait`, in a moment, together with all who wait."""
        if not wait:
            return await self._search.complete_up_to(scope)
        asked = self._asked.get(scope.tenant)
        if asked is None:
            asked = self._asked[scope.tenant] = asyncio.create_task(self._ask(scope))
            asked.add_done_callback(_look)
        return await asyncio.shield(asked)

    async def _ask(self, scope: TenantScope) -> int:
        try:
            await asyncio.sleep(_POLL_SECONDS)
            return await self._search.complete_up_to(scope)
        finally:
            # Here, and not when the task is seen to be done: who comes in between would get what is answered already, without waiting for
            # anything, again and again, and so keep everything else on the event loop from going on, for ever.
            del self._asked[scope.tenant]


def _look(asked: asyncio.Task[int]) -> None:
    """Whoever waited for it may have gone: then nobody else looks at its error, of which asyncio would complain."""
    if not asked.cancelled():
        asked.exception()
