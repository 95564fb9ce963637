"""Backlogs: the tenants whose indexes are behind, so that the others need not wait for them.

The index processor moves on when a tenant's index can't be written, once it is in the control log from where that tenant's events are
missing; `streams.processors.catch_up` reads them again from the tenant log. Until then nobody is told that they are there.

A backlog is `open` (the processor passes over the tenant), then `closing` (the processor writes again, and what it passed over before is
being read for the last time), then gone. In that order nothing falls between: whatever was passed over was in the log before `closing`, and
is read after it.

Who builds the tenant's index anew **claims** the backlog, and renews the claim while it is at it, since two at once would destroy each
other's work. A claim that was not renewed for `EXPIRES_SECONDS` can be taken over. How long that was, each process tells by its own clock,
from when it heard of the last renewal: clocks of several machines differ, and a claim must not end early.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from streams.control_log import ControlEvent, ControlLog, Decide, Projection

KEY: Final = "@index"
"""The aggregate of the control log; no tenant has such an id."""
EXPIRES_SECONDS: Final = 60.0
RENEWED_SECONDS: Final = 10.0
"""How often a claim is renewed at most: each time is an event that every start reads again."""
_BY: Final = "tenantry"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A tenant whose index is behind.

    Attributes:
        partition: of the tenant log, where the tenant's segments are.
        offset: segments from here on may be missing in the index.
        opened_at: epoch milliseconds.
        moved_at: when anybody last did something about it, in epoch milliseconds of their clock.
        heard: when this process heard of that, by its own clock.
        closing: whether the index processor writes the tenant's new events again.
        builder: the process that builds the index anew; empty if none does. If it has died, nobody knows what it has left.
    """

    tenant: str
    partition: int
    offset: int
    opened_at: int
    moved_at: int
    heard: float
    closing: bool = False
    builder: str = ""


class Backlogs(Projection):
    """All backlogs, folded from the control log, and the only way to change them. A deleted tenant has none, and never gets one again.

    Args:
        builder: what this process claims by. One that has its engines for itself takes the same name again after a restart, and so
            goes on at once with what it claimed before.
        clock: seconds that only grow.

    Attributes:
        builder: see above.
    """

    def __init__(self, builder: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.builder = builder or secrets.token_hex(8)
        self._clock = clock
        self._backlogs: dict[str, Backlog] = {}
        self._gone: set[str] = set()
        self._control: ControlLog | None = None

    def attach(self, control: ControlLog) -> None:
        """Writes to this log from now on: the one that these are folded from."""
        self._control = control

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `backlog_opened`, `_reached`, `_closing`, `_claimed`, `_released` and `_closed`; and whatever is deleted."""
        if event.type == "tenant_deleted":
            # Remembered, since the two keys' events may come in either order.
            self._gone.add(key)
            self._backlogs.pop(key, None)
        if key != KEY or (tenant := event.data["tenant"]) in self._gone:
            return
        found = self._backlogs.get(tenant)
        if event.type == "backlog_opened":
            fresh = Backlog(tenant, event.data["partition"], event.data["offset"], event.at, event.at, self._clock())
            if found is not None:
                fresh = replace(fresh, offset=min(found.offset, fresh.offset), opened_at=found.opened_at, builder=found.builder)
            self._backlogs[tenant] = fresh
        elif event.type == "backlog_closed":
            self._backlogs.pop(tenant, None)
        elif found is not None:
            found = replace(found, moved_at=event.at, heard=self._clock())
            if event.type == "backlog_reached":
                found = replace(found, offset=event.data["offset"])
            elif event.type == "backlog_closing":
                found = replace(found, closing=True)
            elif event.type == "backlog_claimed":
                found = replace(found, builder=event.data["builder"])
            elif event.type == "backlog_released":
                found = replace(found, builder="")
            self._backlogs[tenant] = found

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
            tenants: who can't be written; those that are deleted by now are left out.
            partition: where their segments are.
            offset: the first of their segments that may be missing.

        Raises:
            LogUnavailable: nothing was opened, or it is in doubt; opening it again changes nothing.
        """
        wanted = sorted(tenants)

        async def decide() -> Sequence[ControlEvent]:
            missing = [tenant for tenant in wanted if tenant not in self._gone and not self._covers(tenant, offset)]
            return [_event("backlog_opened", tenant=tenant, partition=partition, offset=offset) for tenant in missing]

        await self._commit(decide)
        _log.info("backlogs_opened", tenants=wanted, partition=partition, offset=offset)

    async def reached(self, backlog: Backlog, offset: int) -> None:
        """The tenant's segments before the offset are indexed now, unless somebody has opened it anew meanwhile, or builds the index."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            if found is None or found.closing or found.builder or found.offset != backlog.offset or offset <= found.offset:
                return []
            return [_event("backlog_reached", tenant=backlog.tenant, offset=offset)]

        await self._commit(decide)

    async def claim(self, tenant: str) -> bool:
        """Whether this process, and no other, builds the tenant's index anew now; renews the claim, if it has not just been renewed.

        False without a backlog, too: open one first.
        """

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(tenant)
            if found is None or not self.free(found):
                return []
            if found.builder == self.builder and self.idle(found) < RENEWED_SECONDS:
                return []
            return [_event("backlog_claimed", tenant=tenant, builder=self.builder)]

        await self._commit(decide)
        return self._ours(self._backlogs.get(tenant))

    async def release(self, tenant: str) -> bool:
        """Ends the claim of this process: the tenant's index is what it seems to be. False if the claim had been taken over."""

        async def decide() -> Sequence[ControlEvent]:
            return [_event("backlog_released", tenant=tenant)] if self._ours(self._backlogs.get(tenant)) else []

        return bool(await self._commit(decide))

    def free(self, backlog: Backlog) -> bool:
        """Whether this process could claim it: nobody else builds the index anew, or they seem to have died."""
        return backlog.builder in {"", self.builder} or self.idle(backlog) > EXPIRES_SECONDS

    def idle(self, backlog: Backlog) -> float:
        """For how many seconds this process has not heard that anybody has got on with it."""
        return self._clock() - backlog.heard

    async def closing(self, backlog: Backlog) -> None:
        """From now on the index processor writes the tenant's events again, unless somebody builds the index anew."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            ready = found is not None and not found.closing and not found.builder
            return [_event("backlog_closing", tenant=backlog.tenant)] if ready else []

        await self._commit(decide)

    async def close(self, backlog: Backlog) -> bool:
        """The tenant's index is whole again, unless somebody has opened the backlog anew meanwhile, or builds the index: False."""

        async def decide() -> Sequence[ControlEvent]:
            found = self._backlogs.get(backlog.tenant)
            ready = found is not None and found.closing and not found.builder
            return [_event("backlog_closed", tenant=backlog.tenant)] if ready else []

        await self._commit(decide)
        return self._backlogs.get(backlog.tenant) is None

    def _ours(self, backlog: Backlog | None) -> bool:
        return backlog is not None and backlog.builder == self.builder

    def _covers(self, tenant: str, offset: int) -> bool:
        found = self._backlogs.get(tenant)
        return found is not None and not found.closing and found.offset <= offset

    async def _commit(self, decide: Decide) -> Sequence[ControlEvent]:
        assert self._control is not None, "attach the control log first"
        return await self._control.commit(KEY, decide)


def _event(kind: str, **data: object) -> ControlEvent:
    return ControlEvent(type=kind, at=time.time_ns() // 1_000_000, by=_BY, data=data)
