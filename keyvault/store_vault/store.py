"""`VaultKeyStore`: the port, over Vault's transit engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from keyvault.algorithms import PrivateKey
from keyvault.errors import KeyStoreError, KeyStoreUnavailable
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from keyvault.store_vault.asker import Asker
from keyvault.store_vault.batches import Batches
from keyvault.store_vault.client import THREADS
from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.names import KINDS
from keyvault.store_vault.renewal import Renewal
from keyvault.store_vault.request import unavailable
from keyvault.store_vault.signing_line import SigningLine
from keyvault.store_vault.transit import Transit

_T = TypeVar("_T")


class VaultKeyStore(KeyStore):
    """Keys in a transit engine of Vault or OpenBao, which signs with them; see the package.

    Opening it asks nothing of Vault, so that the service starts while Vault is sealed or away; each call tells how it is then.
    """

    def __init__(self, connection: VaultConnection) -> None:
        """Opens the store; Vault is asked by the first call, and to renew a token."""
        self._connection = connection
        self._asker = Asker(connection)
        self._transit = Transit(self._asker)
        self._line = SigningLine(connection, self._asker)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vault")
        self._batches = Batches(self._send, lambda name: KINDS[name.algorithm].batch)
        self._renewal = Renewal(self._asker.login, at_once=connection.token is not None)
        self._closed = False

    @classmethod
    def open(cls, url: str, *, token: str | None = None, role_id: str | None = None, secret_id: str | None = None) -> Self:
        """Opens the store at a URL; see `VaultConnection.from_url`."""
        return cls(VaultConnection.from_url(url, token=token, role_id=role_id, secret_id=secret_id))

    async def create(self, name: KeyName) -> PublicJwk:
        def work() -> PublicJwk:
            key = self._transit.create(name)
            key.check()
            return key.jwk()

        return await self._run(work)

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        def work() -> PublicJwk:
            key = self._transit.adopt(name, private)
            key.check()
            return key.jwk()

        return await self._run(work)

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await self._run(lambda: self._transit.read(name).jwk())

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        payload = KINDS[name.algorithm].payload
        return await self._bounded(self._batches.sign(name, [payload(message) for message in messages]))

    async def destroy(self, name: KeyName) -> None:
        await self._run(lambda: self._transit.retire(name))

    async def close(self) -> None:
        self._closed = True
        self._renewal.end()
        self._batches.close()
        await self._line.close()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._asker.close()

    async def _send(self, name: KeyName, payloads: Sequence[bytes]) -> Sequence[bytes | KeyStoreError]:
        signed = None if self._closed else await self._line.sign(name, payloads)
        return signed if signed is not None else await self._in_thread(lambda: self._transit.sign(name, payloads))

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await self._bounded(self._in_thread(work))

    async def _bounded(self, work: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._connection.timeout):
                return await work
        except TimeoutError:
            raise unavailable("timeout", f"no answer within {self._connection.timeout} seconds") from None

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Off the event loop. What is still waiting for a thread when its caller gives up is not done any more."""
        closed = KeyStoreUnavailable("the key store in Vault is closed")
        if self._closed:
            raise closed
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise closed from None  # nobody has cancelled the caller: `close` has taken this out of the queue
