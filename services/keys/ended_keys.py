"""The private keys of deleted tenants, which the key store is to destroy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keyvault.errors import KeyNotFound, KeyStoreDown, KeyStoreError
from keyvault.key_store import KeyName, KeyStore
from keyvault.leftover import IN_FLIGHT
from keyvault.ring import Ring
from services.keys.rings import Rings
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.scope import TenantScope


class EndedKeys:
    """Destroys them when the tenant is deleted, and once more when nothing that was under way then can have made another.

    The deletion is in the control log before: whatever fails or crashes after it leaves a tenant that is deleted and whose keys may be
    there (`Tenants.with_keys`), with which the next start, or the same command, goes on. The ring ends as it is; that its keys are gone
    is said of the tenant.
    """

    def __init__(self, control: ControlLog, tenants: Tenants, rings: Rings, store: KeyStore, now: Callable[[], int]) -> None:
        self._control = control
        self._tenants = tenants
        self._rings = rings
        self._store = store
        self._now = now

    async def destroy(self, scope: TenantScope, by: str) -> None:
        """Returns when the key store has none of the tenant's keys now. Doing it again does no harm.

        Raises:
            KeyStoreError: some may still be there. One that can't be destroyed does not keep the others.
            LogUnavailable: none is there, but that is not on record.
        """
        begun, ring = self._now(), self._rings.of(scope.tenant)
        failed: list[KeyStoreError] = []
        for name in names(scope, ring):
            try:
                await self._store.destroy(name)
            except KeyNotFound:
                continue
            except KeyStoreDown:
                raise
            except KeyStoreError as error:
                failed.append(error)
        if failed:
            raise failed[0]

        async def decide() -> Sequence[ControlEvent]:
            tenant = self._tenants.find(scope.tenant)
            if tenant is None or tenant.deleted_at is None or tenant.keys_destroyed or self._rings.of(scope.tenant) is not ring:
                return []
            if begun < tenant.deleted_at + IN_FLIGHT + ring.policy.clock_skew:
                return []  # somebody may be about to create one
            return [ControlEvent(type="tenant_keys_destroyed", at=self._now(), by=by)]

        await self._control.commit(scope.tenant, decide)


def names(scope: TenantScope, ring: Ring) -> Sequence[KeyName]:
    """All that the key store may hold a key of the ring under: its keys, and what attempts to create one may have left."""
    found = {KeyName.of(scope, key) for key in ring.keys if key.stored and key.destroyed_at is None}
    found |= {KeyName(scope, left.ordinal, left.algorithm) for left in ring.leftovers}
    # A plan creates two keys at most, with the next ordinals.
    attempts = [(ring.policy.algorithm, ring.next_ordinal + 1), *((one.algorithm, one.reach) for one in ring.tried)]
    found |= {KeyName(scope, ordinal, algorithm) for algorithm, last in attempts for ordinal in range(ring.next_ordinal, last + 1)}
    return sorted(found, key=str)
