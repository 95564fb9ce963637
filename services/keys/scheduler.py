"""The scheduler: wakes when the next key action is due, and does it. Any number of nodes may run it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from keyvault.due import next_due
from services.clockwork import Clockwork
from services.keys.custodian import Custodian
from services.keys.metrics import ROTATIONS_DUE
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

    def __init__(self, tenants: Tenants, rings: Rings, custodian: Custodian, clockwork: Clockwork, now: Callable[[], int]) -> None:
        self._tenants = tenants
        self._rings = rings
        self._custodian = custodian
        self._clockwork = clockwork
        self._now = now
        self._working = asyncio.Lock()
        self._retry_at: dict[str, int] = {}
        self._stopping = False

    def start(self) -> None:
        """Does what is due now, and from then on what becomes due."""
        self._rings.on_change(lambda _: self._plan())
        self._clockwork.at(_JOB, self._now(), self.wake)

    async def stop(self) -> None:
        """Lets what is under way finish, and does no more."""
        self._stopping = True
        async with self._working:
            pass

    async def wake(self) -> None:
        """Does what is due, tenant by tenant: one tenant's trouble does not keep the others waiting."""
        async with self._working:
            left = 0
            for tenant in self._tenants.all():
                if self._stopping:
                    return
                left += not await self._settled(tenant.id)
            ROTATIONS_DUE.set(left)
        self._plan()

    async def _settled(self, tenant: str) -> bool:
        """Whether nothing is due in the tenant's ring, after doing what was."""
        if self._due(tenant) > self._now():
            return True
        if self._retry_at.get(tenant, 0) > self._now():
            return False
        before = self._rings.of(tenant)
        try:
            await self._custodian.settle(TenantScope(tenant))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is tried again, and the others go on
            _log.warning("rotation_failed", tenant=tenant, error=str(error))
        if self._due(tenant) > self._now():
            self._retry_at.pop(tenant, None)
            return True
        if self._rings.of(tenant) is before:
            self._retry_at[tenant] = self._now() + _RETRY_MS
        return False

    def _due(self, tenant: str) -> int:
        """When the tenant's ring needs something next."""
        now = self._now()
        ring = self._rings.of(tenant)
        when = next_due(ring, ring.policy, now)
        return now + _LONGEST_MS if when is None else when

    def _plan(self) -> None:
        if self._stopping:
            return
        now = self._now()
        times = (max(self._due(tenant.id), self._retry_at.get(tenant.id, 0)) for tenant in self._tenants.all())
        self._clockwork.at(_JOB, max(now, min(times, default=now + _LONGEST_MS)), self.wake)
