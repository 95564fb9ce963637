"""The custodian: carries out what is asked of a tenant's key ring, on any number of nodes at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyvault import commands
from keyvault.due import due
from keyvault.keeper import Keeper
from keyvault.plan import Outcome, Plan
from keyvault.ring import Ring
from keyvault.signing import sign_claims
from keyvault.key_store import KeyStore
from services.errors import Invalid, Reused
from services.keys.rings import Rings, control_event, key_event
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog, Projection
from streams.event_log import CONTROL, EventLog
from streams.scope import TenantScope

SCHEDULER: Final = "tenantry"
_REMEMBERED: Final = 1000
"""Idempotency keys of a tenant that are remembered."""

Planning = Callable[[Ring, int], Plan]


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to, and the ring after it."""

    plan: Plan
    ring: Ring


class Commands(Projection):
    """Which `Idempotency-Key` stood for which command, folded from the control log: so it survives restarts, on every node."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)

    def apply(self, key: str, event: ControlEvent) -> None:
        """Remembers `command`, which is the key and the command's fingerprint."""
        if event.command is not None:
            name, _, fingerprint = event.command.partition(" ")
            seen = self._seen[key]
            seen[name] = (fingerprint, event.at)
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]

    def check(self, tenant: str, name: str, fingerprint: str) -> bool:
        """Whether this very command was carried out before.

        Raises:
            Reused: another one was, with the same key.
        """
        known = self._seen[tenant].get(name)
        if known is None:
            return False
        if known[0] != fingerprint:
            raise Reused(f"Idempotency-Key {name!r} was used for another command; take a new key for a new request")
        return True


class Custodian:
    """Plans on the newest ring, has the key store do its part, and appends the events if nobody else changed the ring meanwhile."""

    def __init__(
        self, log: EventLog, control: ControlLog, rings: Rings, seen: Commands, tenants: Tenants, store: KeyStore, now: Callable[[], int]
    ) -> None:
        self._log = log
        self._control = control
        self._rings = rings
        self._seen = seen
        self._tenants = tenants
        self._keeper = Keeper(store)
        self._store = store
        self._now = now

    async def settle(self, scope: TenantScope) -> None:
        """Does what is due now. What the key store can't do now stays due."""
        if self._tenants.exists(scope.tenant) and due(self._rings.of(scope.tenant), self._rings.of(scope.tenant).policy, self._now()):
            await self._carry_out(scope, lambda ring, now: commands.scheduled(ring, ring.policy, now), by=SCHEDULER)

    async def rotate(self, scope: TenantScope, *, activate: bool, reason: str | None, by: str, command: str | None) -> Done:
        """Prepares the next key, or activates the one that is ready; see `keyvault.commands.rotate`.

        Of several at once, one rotates, and the others answer what it came to.
        """
        active = self._rings.of(scope.tenant).active
        instead_of = active.kid if active is not None else None

        def plan(ring: Ring, now: int) -> Plan:
            return commands.rotate(ring, ring.policy, now, activate=activate, reason=reason, instead_of=instead_of)

        return await self._command(scope, plan, by, command, f"rotate {activate}")

    async def activate(self, scope: TenantScope, kid: str, *, reason: str | None, by: str, command: str | None) -> Done:
        """Lets a standby sign; see `keyvault.commands.activate`."""

        def plan(ring: Ring, now: int) -> Plan:
            return commands.activate(ring, ring.policy, now, kid, reason=reason)

        return await self._command(scope, plan, by, command, f"activate {kid}")

    async def compromise(self, scope: TenantScope, kid: str, *, reason: str, by: str, command: str | None) -> Done:
        """Takes a key out of the JWKS at once; see `keyvault.commands.compromise`."""

        def plan(ring: Ring, now: int) -> Plan:
            return commands.compromise(ring, ring.policy, now, kid, reason=reason)

        return await self._command(scope, plan, by, command, f"compromise {kid}")

    async def destroy(self, scope: TenantScope, kid: str, *, by: str, command: str | None) -> Done:
        """Destroys a key in the key store; see `keyvault.commands.destroy`."""

        def plan(ring: Ring, now: int) -> Plan:
            return commands.destroy(ring, ring.policy, now, kid)

        return await self._command(scope, plan, by, command, f"destroy {kid}")

    async def past(self, scope: TenantScope, at: int) -> Ring:
        """The ring as it was at a time (epoch milliseconds)."""
        events = []
        start = 0
        while records := await self._log.read(CONTROL, key=scope.tenant, start=start, limit=1000):
            start = records[-1].offset + 1
            events += [found for record in records if (found := key_event(decode_record(record.value))) is not None]
        return Ring.at(events, at)
