"""The scheduler: wakes when the next key action is due, and does it. Any number of nodes may run it at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from dashboards.metrics import ROTATIONS_DUE
from keyvault.due import activates_at, next_due, stalls_at
from keyvault.rate import Pace
from keyvault.wave import Request
from services.clockwork import Clockwork
from services.keys.agenda import Agenda
from services.keys.custodian import Custodian
from services.keys.rings import Rings
from services.tenants.tenant import Tenants
from streams.event import iso
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_JOB: Final = "rotation"
_AT_ONCE: Final = 3
"""Tenants that are seen to at once: the load on the key store. The embedded one has a thread more, so signing never waits for them."""
_FIRST_RETRY_MS: Final = 2_000
_LAST_RETRY_MS: Final = 60_000
"""How soon what could not be done is tried again, as when the key store is away: at first, and at last."""
_LONGEST_MS: Final = 24 * 3600 * 1000
"""A wake-up a day at least, should the machine's clock have jumped."""
_LOOKED_AT: Final = 200
"""Rings that are looked at before others on the event loop get a turn: some milliseconds."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a tenant's last attempt failed, how many did so in a row, and when the next one is."""

    why: str
    count: int
    until: int


def retry_after(count: int, lot: float) -> int:
    """How long to wait after so many failures in a row, in ms: twice as long each time, less up to half of it, by a lot from 0 to 1."""
    return int(min(_FIRST_RETRY_MS << min(count - 1, 10), _LAST_RETRY_MS) * (1 - lot / 2))


class RotationScheduler:
    """Asks the pure `due` of every ring; two nodes that wake at once decide on the same log, so one acts.

    What it costs goes by the rings that change, not by how many there are. A few tenants are seen to at once; one that fails is tried again
    later and later, and keeps nobody waiting.
    """

    def __init__(
        self,
        tenants: Tenants,
        rings: Rings,
        custodian: Custodian,
        clockwork: Clockwork,
        now: Callable[[], int],
        *,
        at_once: int = _AT_ONCE,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`dice` answers from 0 to 1: what failed together is not tried again together."""
        self._tenants = tenants
        self._rings = rings
        self._custodian = custodian
        self._clockwork = clockwork
        self._now = now
        self._at_once = at_once
        self._dice = dice
        self._agenda = Agenda()
        self._changed: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, _Trouble] = {}
        self._stalls: dict[str, int] = {}
        self._told: set[str] = set()
        self._paces: dict[str, Pace] = {}
        self._turns: dict[str, tuple[Request, int]] = {}
        self._planned: int | None = None
        self._latest = 0
        self._stopping = False

    def start(self) -> None:
        """Does what is due now, and from then on what becomes due."""
        ROTATIONS_DUE.set_function(self._undone)
        self._rings.on_change(self._note)
        for tenant in self._tenants.all():
            self._look(tenant.id)
        self._go()

    async def stop(self) -> None:
        """Lets what is under way finish, and does no more."""
        self._stopping = True
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def trouble(self, tenant: str) -> str | None:
        """Why the last attempt to do what is due for the tenant failed, on this node, or None."""
        found = self._troubles.get(tenant)
        return found.why if found is not None else None

    async def wake(self) -> None:
        """Begins with what is due, and plans when to wake next."""
        self._planned = None
        now = self._now()
        if now < self._latest:  # the clock was put back, and times were planned by what it said
            for tenant in self._tenants.all():
                self._note(tenant.id)
        self._latest = now
        self._go()

    def _note(self, tenant: str) -> None:
        """Hears that a tenant's ring has changed; thousands may at once."""
        if not self._changed:
            asyncio.get_running_loop().call_soon(self._look_at_changed)
        self._changed.add(tenant)

    def _look_at_changed(self) -> None:
        for _ in range(min(len(self._changed), _LOOKED_AT)):
            self._look(self._changed.pop())
        if self._changed:
            asyncio.get_running_loop().call_soon(self._look_at_changed)
        self._go()

    def _look(self, tenant: str) -> None:
        """Notes when the tenant's ring needs something next."""
        if tenant in self._busy:
            return  # it is looked at when that is done
        if not self._tenants.exists(tenant):
            self._agenda.drop(tenant)
            self._troubles.pop(tenant, None)
            self._turns.pop(tenant, None)
            self._stalls.pop(tenant, None)
            self._told.discard(tenant)
            return
        now = self._now()
        due = self._due(tenant, now)
        if due > now:
            self._troubles.pop(tenant, None)
        trouble = self._troubles.get(tenant)
        when = min(due, self._stalled(tenant, now, due))
        self._agenda.put(tenant, when if trouble is None else min(trouble.until, now + _LAST_RETRY_MS))

    def _due(self, tenant: str, now: int) -> int:
        ring = self._rings.of(tenant)
        when = next_due(ring, ring.policy, now)
        return now + _LONGEST_MS if when is None else when

    def _stalled(self, tenant: str, now: int, due: int) -> int:
        """Notes from when on the ring is late for want of a standby, and says so once it is; answers when to look for that."""
        ring = self._rings.of(tenant)
        when = stalls_at(ring, ring.policy)
        if when is None:
            self._stalls.pop(tenant, None)
            self._told.discard(tenant)
            return now + _LONGEST_MS
        self._stalls[tenant] = when
        if when > now:
            self._told.discard(tenant)
            return when
        if tenant not in self._told and due > now:  # else it is only about to be done
            self._told.add(tenant)
            free = ring.next_change(now)
            count, limit = len(ring.published(now)), ring.policy.max_published_keys
            _log.warning("rotation_stalled", tenant=tenant, published=count, allowed=limit, room_at=None if free is None else iso(free))
        return now + _LONGEST_MS

    def _go(self) -> None:
        """Begins with what is due, as far as there is room for it; whoever has finished comes here again."""
        now = self._now()
        while not self._stopping and len(self._busy) < self._at_once and (tenant := self._agenda.take(now)) is not None:
            if (turn := self._turn(tenant, now)) > now:
                self._agenda.put(tenant, turn)
            else:
                self._busy[tenant] = asyncio.create_task(self._settle(tenant), name=f"rotate-{tenant}")
        if self._stopping or len(self._busy) >= self._at_once:
            return
        when = min(self._agenda.next() or now + _LONGEST_MS, now + _LONGEST_MS)
        if self._planned is None or when < self._planned:
            self._planned = when
            self._clockwork.at(_JOB, when, self.wake)

    def _turn(self, tenant: str, now: int) -> int:
        """When the tenant may be seen to: now; but of those whom a wave asks, a crowd goes one by one at its rate, as after an outage."""
        ring = self._rings.of(tenant)
        when = activates_at(ring, ring.policy)
        if ring.requested is None or when is None or when > now:
            self._turns.pop(tenant, None)
            return now
        request, turn = self._turns.get(tenant, (None, 0))
        if request != ring.requested:
            pace = self._paces.setdefault(ring.requested.wave, Pace(ring.requested.rate))
            turn = pace.next(now)
            self._turns[tenant] = (ring.requested, turn)
        return turn

    async def _settle(self, tenant: str) -> None:
        """Does what is due for the tenant."""
        before, why = self._rings.of(tenant), ""
        try:
            await self._custodian.settle(TenantScope(tenant))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is tried again, and the others go on
            why = str(error) or type(error).__name__
        finally:
            del self._busy[tenant]
        now = self._now()
        if self._due(tenant, now) <= now and (why or self._rings.of(tenant) is before):
            why = why or "what is due is still due"
            known = self._troubles.get(tenant)
            count = known.count + 1 if known is not None else 1
            self._troubles[tenant] = _Trouble(why, count, now + retry_after(count, self._dice()))
            _log.warning("rotation_failed", tenant=tenant, error=why, attempts=count)
        else:
            self._troubles.pop(tenant, None)
            self._turns.pop(tenant, None)
        self._look(tenant)
        self._go()

    def _undone(self) -> int:
        """How many tenants need something that has not been done yet, or have no standby although they should have rotated."""
        now = self._now()
        stalled = {tenant for tenant, when in self._stalls.items() if when <= now}
        return len(self._troubles.keys() | self._busy.keys() | stalled | self._agenda.due(now))
