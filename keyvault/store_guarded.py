"""A `KeyStore` that is spared while it is down: a circuit breaker before another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from time import monotonic
from typing import TypeVar

import structlog

from keyvault.algorithms import PrivateKey
from keyvault.breaker import Breaker
from keyvault.errors import KeyStoreDown
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from keyvault.metrics import KEY_STORE_DOWN, KEY_STORE_SPARED

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class GuardedKeyStore(KeyStore):
    """Passes every call on, until the store behind it is down; then it refuses them at once, and says when to come again.

    Only `KeyStoreDown` counts: whatever else a store says of a key, it has answered, so one tenant's trouble is no other's. All calls count
    and are refused alike: nobody who creates, rotates or reports a key is helped by waiting for a store that does not answer, and what
    can't be created or destroyed now is due again.
    """

    def __init__(self, store: KeyStore, *, clock: Callable[[], float] = monotonic) -> None:
        """Guards this store, and closes it with itself; the clock's times are seconds."""
        self._store = store
        self._breaker = Breaker(KeyStoreDown, changed=self._changed, clock=clock)
        self._why = ""

    async def create(self, name: KeyName) -> PublicJwk:
        return await self._ask(lambda: self._store.create(name))

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        return await self._ask(lambda: self._store.adopt(name, private))

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await self._ask(lambda: self._store.public_key(name))

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        return await self._ask(lambda: self._store.sign(name, messages))

    async def destroy(self, name: KeyName) -> None:
        await self._ask(lambda: self._store.destroy(name))

    async def close(self) -> None:
        await self._store.close()

    async def _ask(self, call: Callable[[], Awaitable[_T]]) -> _T:
        if seconds := self._breaker.wait():
            KEY_STORE_SPARED.inc()
            raise KeyStoreDown(f"{self._why} (so it said a moment ago; try again in {ceil(seconds)} s)", retry_after=seconds)
        with self._breaker.attempt():
            try:
                return await call()
            except KeyStoreDown as error:
                self._why = str(error)
                raise

    def _changed(self, down: bool) -> None:
        KEY_STORE_DOWN.set(down)
        if down:
            _log.warning("key_store_down", error=self._why)
        else:
            _log.info("key_store_answers_again")
