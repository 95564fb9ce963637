"""`SigningLine`: requests to sign, made on the event loop, for which hvac and its thread would take four times as much CPU."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import aiohttp
import msgspec

from keyvault.key_store import KeyName
from keyvault.metrics import VAULT_BATCH_MESSAGES, VAULT_REQUEST_SECONDS
from keyvault.store_vault.asker import Asker
from keyvault.store_vault.client import THREADS
from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.names import VERSION, kinds_of, transit_name
from keyvault.store_vault.request import CONNECT_SECONDS, unavailable
from keyvault.store_vault.transit import signatures

_TROUBLE: Final = (aiohttp.ClientError, OSError, msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError)
"""Whatever can go wrong with a request or its answer. It may have the token in its traceback, so it goes no further."""

_MOST_BYTES: Final = 512 * 1024
"""Encoding and sending more would hold the event loop up."""


class SigningLine:
    """Signs when all is well, and knows nothing of what else there is: logins, redirects, errors.

    Signing changes nothing in Vault, so whatever was not signed here is simply asked again through hvac (`transit.py`), which finds
    out what is wrong, does something about it, and says it.
    """

    def __init__(self, connection: VaultConnection, asker: Asker) -> None:
        """Asks with the asker's token, once that has found the mount."""
        self._connection = connection
        self._asker = asker
        self._session: aiohttp.ClientSession | None = None

    async def sign(self, name: KeyName, payloads: Sequence[bytes]) -> list[bytes] | None:
        """The JWS signatures of the payloads (`TransitKind.payload`), in their order, made in one request; None if there are none.

        Raises:
            KeyStoreDown: Vault did not answer in time. Asked again, it would only take as long again.
        """
        lease = self._asker.login.held
        if not self._asker.mounted or lease is None or monotonic() >= lease.ends_at or sum(map(len, payloads)) > _MOST_BYTES:
            return None
        kinds = kinds_of(name)
        given = [{"input": base64.b64encode(one).decode("ascii")} for one in payloads]
        body = msgspec.json.encode({"batch_input": given, "key_version": VERSION, **kinds[0].parameters})
        path = f"/v1/{self._connection.mount}/sign/{transit_name(name)}"
        slow, signed = False, list[bytes | str]()
        try:
            with VAULT_REQUEST_SECONDS.labels("sign").time():
                answer = await self._post(path, body, lease.client.token)
            signed = signatures(answer["data"], *kinds) if answer is not None else []
        except TimeoutError:
            slow = True
        except _TROUBLE:
            return None
        if slow:  # outside of `except`, whose error would take the token along
            raise unavailable("timeout", f"no answer within {self._connection.timeout} seconds")
        good = [one for one in signed if isinstance(one, bytes)]
        if len(good) != len(payloads):
            return None
        VAULT_BATCH_MESSAGES.observe(len(good))
        return good

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: bytes, token: str) -> Mapping[str, Any] | None:
        if self._session is None:
            self._session = self._open()
        async with self._session.post(path, data=body, headers={"X-Vault-Token": token}, allow_redirects=False) as response:
            if response.status != 200:
                return None
            answer: Mapping[str, Any] = msgspec.json.decode(await response.read())
            return answer

    def _open(self) -> aiohttp.ClientSession:
        # As with hvac's client, nothing is taken from the environment: aiohttp does so only if it is asked to.
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if self._connection.namespace is not None:
            headers["X-Vault-Namespace"] = self._connection.namespace
        return aiohttp.ClientSession(
            self._connection.address,
            connector=aiohttp.TCPConnector(limit=THREADS, ssl=_trusted(self._connection.authorities)),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._connection.timeout, connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


def _trusted(authorities: str | bool) -> ssl.SSLContext:
    if isinstance(authorities, bool):
        return ssl.create_default_context()
    directory = Path(authorities).is_dir()
    return ssl.create_default_context(cafile=None if directory else authorities, capath=authorities if directory else None)
