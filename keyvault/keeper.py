"""The keeper carries out plans at the key store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from keyvault.due import Destroy, Discard, Prepare
from keyvault.errors import KeyDestroyed, KeyNotFound, KeyStoreConflict, KeyStoreError, KeyStoreUnavailable
from keyvault.events import KeyEvent
from keyvault.key_store import KeyName, KeyStore
from keyvault.plan import Created, Plan
from keyvault.ring import Ring
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_MOST_SKIPPED = 100


class Keeper:
    """Carries out plans at a key store. It does not know the log: the caller appends the events.

    Carrying out a plan again is harmless. A key that was created and never logged, because of a crash, because the store's answer was lost
    or because somebody else appended first, is found again under the same name by the next plan; if that takes another name, since the
    policy has another algorithm by then, the ring knows what may be left (`keyvault.leftover`). A key is destroyed only when no event
    can use it any more.
    """

    def __init__(self, store: KeyStore, *, now: Callable[[], int] = lambda: 0, patience: float = 5.0) -> None:
        """The keeper of this store.

        Args:
            store: where the keys are.
            now: the clock, in epoch milliseconds. What the store is slow about happens when it is done, not when it was planned: others go
                on signing with the old key until then, and fetch a JWKS without the new one. By default, when it was planned.
            patience: seconds that a best-effort plan waits for the store in all, so that a bad key leaves even if the store hangs.
        """
        self._store = store
        self._now = now
        self._patience = patience

    async def carry_out(self, scope: TenantScope, ring: Ring, plan: Plan) -> tuple[KeyEvent, ...]:
        """Does at the store what the plan, made from this ring, needs.

        Returns:
            The events that tell so, to be appended atomically if nobody else changed the ring meanwhile; else plan anew. May be empty.
            What a best-effort plan could not do is missing, and is due again: `next_due` of the ring after them is then `now`.

        Raises:
            KeyStoreError: the store could not do it. A best-effort plan raises only if nothing of it is left.
        """
        created: dict[Prepare, Created] = {}
        postponed: list[KeyStoreError] = []
        try:
            async with asyncio.timeout(self._patience if plan.best_effort else None):
                await self._create(scope, ring, plan, created, postponed)
                destroyed = await self._destroy(scope, ring, plan, postponed)
        except TimeoutError:
            destroyed = frozenset()
            postponed.append(KeyStoreUnavailable(f"the key store did not answer within {self._patience:g} seconds"))
        if postponed and not plan.best_effort:
            raise postponed[0]
        events = replace(plan, at=max(plan.at, self._now())).events(ring, created, destroyed)
        if postponed and not events:
            raise postponed[0]
        for error in postponed:
            _log.warning("key_store_postponed", tenant=scope.tenant, outcome=plan.outcome, error=str(error))
        return events

    async def _create(
        self, scope: TenantScope, ring: Ring, plan: Plan, created: dict[Prepare, Created], postponed: list[KeyStoreError]
    ) -> None:
        """Fills `created` one by one, so that what was made counts even if time runs out.

        The first that fails ends it. The store may have made that key all the same, and lost the answer: were one with a higher ordinal
        logged, no plan would ever look under its name again.
        """
        least = ring.next_ordinal
        for prepare in plan.creations:
            try:
                created[prepare] = key = await self._create_one(scope, ring, prepare, least)
            except KeyStoreError as error:
                postponed.append(error)
                break
            least = key.ordinal + 1

    async def _create_one(self, scope: TenantScope, ring: Ring, prepare: Prepare, least: int) -> Created:
        first = max(prepare.ordinal, least)
        for ordinal in range(first, first + _MOST_SKIPPED):
            name = KeyName(scope, ordinal, prepare.algorithm)
            try:
                jwk = await self._store.create(name)
            except KeyDestroyed:
                continue  # the log was restored from a backup, and does not know of it
            if jwk.alg is not prepare.algorithm:
                raise KeyStoreConflict(f"the key store holds a key for {jwk.alg} under {name}; remove it, or rename it")
            if all(key.kid != jwk.kid for key in ring.keys):
                return Created(ordinal, jwk)
        raise KeyStoreConflict(
            f"the key store has destroyed {_MOST_SKIPPED} keys from {scope.tenant}/{first} on that the log does not know"
        )

    async def _destroy(self, scope: TenantScope, ring: Ring, plan: Plan, postponed: list[KeyStoreError]) -> frozenset[Destroy | Discard]:
        destroyed: set[Destroy | Discard] = set()
        for destroy in plan.destructions:
            if isinstance(destroy, Discard):
                name = KeyName(scope, destroy.ordinal, destroy.algorithm)
            else:
                name = KeyName.of(scope, ring.find(destroy.kid))
            try:
                await self._store.destroy(name)
            except KeyNotFound:
                destroyed.add(destroy)
            except KeyStoreError as error:
                postponed.append(error)
            else:
                destroyed.add(destroy)
        return frozenset(destroyed)
