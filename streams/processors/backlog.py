"""Backlogs: the tenants whose indexes are behind, so that the others need not wait for them.

The index processor moves on when a tenant's index can't be written, once it is in the control log from where that tenant's events are
missing; `streams.processors.catch_up` reads them again from the tenant log. Until then nobody is told that they are there.

A backlog is `open` (the processor passes over the tenant), then `closing` (the processor writes again, and what it passed over before is
being read for the last time), then gone. In that order nothing falls between: whatever was passed over was in the log before `closing`, and
is read after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from streams.control_log import ControlEvent, ControlLog, Decide, Projection

KEY: Final = "@index"
"""The aggregate of the control log; no tenant has such an id."""
_BY: Final = "tenantry"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A tenant whose index is behind.

    Attributes:
        partition: of the tenant log, where the tenant's segments are.
        offset: segments from here on may be missing in the index.
        closing: whether the index processor writes the tenant's new events again.
        opened_at: epoch milliseconds.
    """

    tenant: str
    partition: int
    offset: int
    opened_at: int
    closing: bool = False


class Backlogs(Projection):
    """All backlogs, folded from the control log, and the only way to change them."""

    def __init__(self) -> None:
        self._backlogs: dict[str, Backlog] = {}
        self._control: ControlLog | None = None

    def attach(self, control: ControlLog) -> None:
        """Writes to this log from now on: the one that these are folded from."""
        self._control = control

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `backlog_opened`, `backlog_reached`, `backlog_closing` and `backlog_closed`; a deleted tenant has none."""
        if event.type == "tenant_deleted":
            self._backlogs.pop(key, None)
        if key != KEY:
            return
        tenant = event.data["tenant"]
        found = self._backlogs.get(tenant)
        if event.type == "backlog_opened":
            offset = event.data["offset"] if found is None else min(found.offset, event.data["offset"])
            self._backlogs[tenant] = Backlog(tenant, event.data["partition"], offset, found.opened_at if found else event.at)
        elif event.type == "backlog_reached" and found is not None:
            self._backlogs[tenant] = replace(found, offset=event.data["offset"])
        elif event.type == "backlog_closing" and found is not None:
            self._backlogs[tenant] = replace(found, closing=True)
        elif event.type == "backlog_closed":
            self._backlogs.pop(tenant, None)

    def of(self, tenant: str) -> Backlog | None:
        """The tenant's backlog, if it has one."""
        return self._backlogs.get(tenant)

    def all(self) -> Sequence[Backlog]:
        """Every backlog, the oldest first."""
        return sorted(self._backlogs.values(), key=lambda backlog: backlog.opened_at)

    async def current(self) -> None:
        """Returns when everything that was in the control log is folded.

        Raises:
            LogUnavailable: the log can't be asked now.
        """
        if self._control is not None:
            await self._control.catch_up()

    async def open(self, tenants: Iterable[str], partition: int, offset: int) -> None:
        """From now on the index processor passes over these tenants; when this returns, every node can know it.

        Args:
            tenants: who can't be written.
            partition: where their segments are.
            offset: the first of their segments that may be missing.

        Raises:
            LogUnavailable: nothing was opened.
        """
        wanted = sorted(tenants)

        async def decide() -> Sequence[ControlEvent]:
            missing = [tenant for tenant in wanted if not self._covers(tenant, offset)]
            return [_event("backlog_opened", tenant=tenant, partition=partition, offset=offset) for tenant in missing]

        await self._commit(decide)
        _log.warning("backlogs_opened", tenants=wanted, partition=partition, offset=offset)

    async def reached(self, backlog: Backlog, offset: int) -> None:
        """The tenant's segments before the offset are indexed now, unless somebody has opened the backlog anew meanwhile."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            if found is None or found.closing or found.offset != backlog.offset or offset <= found.offset:
                return []
            return [_event("backlog_reached", tenant=backlog.tenant, offset=offset)]

        await self._commit(decide)

    async def closing(self, backlog: Backlog) -> None:
        """From now on the index processor writes the tenant's events again."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            return [_event("backlog_closing", tenant=backlog.tenant)] if found is not None and not found.closing else []

        await self._commit(decide)

    async def close(self, backlog: Backlog) -> bool:
        """The tenant's index is whole again, unless somebody has opened the backlog anew meanwhile: False."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            return [_event("backlog_closed", tenant=backlog.tenant)] if found is not None and found.closing else []

        await self._commit(decide)
        return self._backlogs.get(backlog.tenant) is None

    def _covers(self, tenant: str, offset: int) -> bool:
        found = self._backlogs.get(tenant)
        return found is not None and not found.closing and found.offset <= offset

    async def _commit(self, decide: Decide) -> None:
        assert self._control is not None, "attach the control log first"
        await self._control.commit(KEY, decide)


def _event(kind: str, **data: object) -> ControlEvent:
    return ControlEvent(type=kind, at=time.time_ns() // 1_000_000, by=_BY, data=data)
