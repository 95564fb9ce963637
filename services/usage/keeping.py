"""Keeping: writes usage down every few minutes, as soon as a key signs no more, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from services.clockwork import Clockwork
from services.events.search import Search
from services.keys.rings import Rings
from services.keys.usage import UsageCounter
from services.usage.journal import Journal
from services.usage.sums import MANY, UsageSums
from streams.errors import StreamsError
from streams.event_log import EventLog

_log = structlog.get_logger(__name__)
PERIOD_SECONDS: Final = 300
"""How much a node that is killed can have counted for nothing."""


@asynccontextmanager
async def keeping(
    counter: UsageCounter,
    search: Search,
    log: EventLog,
    exists: Callable[[str], bool],
    rings: Rings,
    clockwork: Clockwork,
    now: Callable[[], int],
) -> AsyncIterator[UsageSums]:
    """Keeps what the counter counts while the context is open; yields who sums it up."""
    journal = Journal(counter, log, exists, now)
    sums = UsageSums(search, journal, log, now)
    early: set[asyncio.Task[None]] = set()
    ended = False

    async def every_period() -> None:
        await journal.write()
        for scope, kid in journal.often(MANY):
            try:
                await sums.of(scope, kid)  # which writes down the sum of so many
            except StreamsError as error:
                _log.warning("usage_not_summed", tenant=scope.tenant, kid=kid, error=str(error))

    def changed(tenant: str) -> None:
        # Somebody may soon ask about a key that signs no more, on another node.
        active = rings.of(tenant).active
        if not ended and any(active is None or active.kid != kid for kid in counter.of(tenant)):
            task = asyncio.create_task(journal.write(tenant), name=f"usage-{tenant}")
            early.add(task)
            task.add_done_callback(early.discard)

    rings.on_change(changed)
    clockwork.every("usage of keys", PERIOD_SECONDS, every_period)
    try:
        yield sums
    finally:
        ended = True
        await asyncio.gather(*early, return_exceptions=True)
        await journal.write()
