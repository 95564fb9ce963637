"""All tenants at a glance: how large, how busy, how far behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.overview.log_end import WINDOW_MS, Lag, LogEnd, read_end
from services.tenants.tenant import Tenants
from streams.errors import StreamsError
from streams.event_log import TENANT_LOG, EventLog
from streams.processors.backlog import Backlogs
from streams.search_index import SearchIndex, Size


@dataclass(frozen=True, slots=True)
class TenantGlance:
    """A tenant.

    Attributes:
        isolation: whether its index is its own (`separate`) or shared (`pooled`).
        size: None where the search engine did not say.
        per_minute: its events per minute lately; None where the log could not be read.
        lag: likewise.
        backlog: whether its index is being caught up by itself, apart from the others'.
    """

    id: str
    name: str
    isolation: str
    size: Size | None
    per_minute: float | None
    lag: Lag | None
    backlog: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """All tenants, at one time.

    Attributes:
        at: when, in epoch milliseconds.
        tenants: by id.
        window: over how many milliseconds the rates are.
        troubles: what could not be found out, and why.
    """

    at: int
    tenants: tuple[TenantGlance, ...]
    window: int
    troubles: tuple[str, ...]


async def glance(log: EventLog, index: SearchIndex, backlogs: Backlogs, tenants: Tenants, now: Callable[[], int]) -> Glance:
    """Looks at all of them. What an engine can't say is missing in it, with the reason."""
    troubles: list[str] = []
    sizes: Mapping[str, Size] | None = None
    end: LogEnd | None = None
    try:
        sizes = await index.sizes()
    except StreamsError as error:
        troubles.append(f"The search index does not tell how large the tenants are: {error}")
    try:
        end = await read_end(log, backlogs, now())
    except StreamsError as error:
        troubles.append(f"The event log does not tell how busy the tenants are, nor how far their indexes are behind: {error}")
    found = []
    for tenant in tenants.all():
        partition = await log.partition_of(TENANT_LOG, tenant.id) if end is not None else 0
        found.append(
            TenantGlance(
                id=tenant.id,
                name=tenant.display_name,
                isolation=tenant.isolation,
                size=sizes.get(tenant.id, Size(0)) if sizes is not None else None,
                per_minute=end.rate(tenant.id, partition) if end is not None else None,
                lag=end.lag(tenant.id, partition) if end is not None else None,
                backlog=backlogs.of(tenant.id) is not None,
            )
        )
    return Glance(now(), tuple(found), end.window if end is not None else WINDOW_MS, tuple(troubles))
