"""The scheduler: wakes when the next key action is due, and does it. Any number of nodes may run it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from keyvault.due import next_due
from services.keys.custodian import Custodian
from services.keys.rings import Rings
from services.tenants.tenant import Tenants
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_JOB: Final = "rotation"
_RETRY_MS: Final = 10_000
"""How soon what could not be done is tried again, as when the key store is away."""
_LONGEST_MS: Final = 24 * 3600 * 1000
"""A wake-up a day at least, should the machine's clock have jumped."""


class RotationScheduler:
    """Asks the pure `due` of every ring; two nodes that wake at once decide on the same log, so one acts."""

    def __init__(self, tenants: Tenants, rings: Rings, custodian: Custodian, now: Callable[[], int]) -> None:
        self._tenants = tenants
        self._rings = rings
        self._custodian = custodian
        self._now = now
        self._scheduler = AsyncIOScheduler(executors={"default": AsyncIOExecutor()}, timezone=UTC)
        self._working = asyncio.Lock()
        self._failed: dict[str, int] = {}
        self._stopping = False

    def start(self) -> None:
        """Does what is due now, and from then on what becomes due."""
        self._scheduler.start()
        self._rings.on_change(lambda _: self._plan())
        self._wake_at(self._now())

    async def stop(self) -> None:
        """Lets what is under way finish, and wakes no more."""
        self._stopping = True
        async with self._working:  # apscheduler's own shutdown would cancel a rotation under way
            if self._scheduler.running:
                self._scheduler.shutdown(wait=False)

    async def wake(self) -> None:
        """Does what is due, tenant by tenant: one tenant's trouble does not keep the others waiting."""
        async with self._working:
            for tenant in self._tenants.all():
                if self._stopping:
                    return
                ring = self._rings.of(tenant.id)
                when = next_due(ring, ring.policy, self._now())
                if when is None or when > self._now() or self._failed.get(tenant.id, 0) > self._now():
                    continue
                try:
                    await self._custodian.settle(TenantScope(tenant.id))
                except Exception as error:  # noqa: BLE001 -- whatever it is, it is tried again, and the others go on
                    _log.warning("rotation_failed", tenant=tenant.id, error=str(error))
                ring = self._rings.of(tenant.id)
                if next_due(ring, ring.policy, self._now()) == when:
                    self._failed[tenant.id] = self._now() + _RETRY_MS
                else:
                    self._failed.pop(tenant.id, None)
        self._plan()

    def _plan(self) -> None:
        now = self._now()
        times = [now + _LONGEST_MS]
        for tenant in self._tenants.all():
            ring = self._rings.of(tenant.id)
            when = next_due(ring, ring.policy, now)
            if when is not None:
                times.append(max(when, self._failed.get(tenant.id, 0)))
        self._wake_at(min(times))

    def _wake_at(self, when: int) -> None:
        # One job, moved: apscheduler runs it at once if the time has passed.
        run = datetime.fromtimestamp(max(when, self._now()) / 1000, UTC)
        if self._scheduler.running and not self._stopping:
            self._scheduler.add_job(
                self.wake, "date", run_date=run, id=_JOB, replace_existing=True, misfire_grace_time=None, max_instances=2
            )
