"""What the tests of usage count with: nodes of one service, and what stands in its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from keyvault.durations import HOUR
from services.clockwork import Clockwork
from services.keys.usage import UsageCounter
from services.usage import sums
from services.usage.journal import Journal
from services.usage.keeping import keeping
from services.usage.note import Note, read_note
from streams.event_log import TENANT_LOG, EventLog
from streams.scope import TenantScope
from streams.segment import entries
from tests.platforms import Site

ACME = TenantScope("acme")
SECRET = bytes(range(32))


def kid_of(here: Site) -> str:
    active = here.platform.rings.of("acme").active
    assert active is not None
    return active.kid


async def noted(here: Site) -> list[Note]:
    """The notes in the tenant's log, as they stand there."""
    documents = [entry.document for record in await here.records(TENANT_LOG) if record.key == "acme" for entry in entries(record)]
    return [read_note(document) for document in documents if b'"key_usage' in document]


class Node:
    """Another node of the same service: what it counts, it writes into the same log."""

    def __init__(self, here: Site, log: EventLog | None = None) -> None:
        self.here = here
        self.counter = UsageCounter(SECRET, here.platform.now)
        self.journal = Journal(self.counter, log or here.platform.log, here.platform.tenants.exists, here.platform.now)

    def sign(self, count: int = 1, *, kid: str = "", **claims: Any) -> None:
        for _ in range(count):
            self.counter.count(ACME, kid or kid_of(self.here), claims, self.here.platform.now() + HOUR)

    def sums(self) -> sums.UsageSums:
        return sums.UsageSums(self.here.platform.search, self.journal, self.here.platform.log, self.here.platform.now)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        clockwork = Clockwork()
        clockwork.start()
        platform = self.here.platform
        try:
            async with keeping(
                self.counter, platform.search, platform.log, platform.tenants.exists, platform.rings, clockwork, platform.now
            ):
                yield
        finally:
            clockwork.stop()
