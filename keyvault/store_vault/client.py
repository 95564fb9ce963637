"""The HTTP client under hvac: one pool of connections that are kept alive, and no surprises from the environment."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import hvac
import requests
from requests.adapters import HTTPAdapter

from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.request import CONNECT_SECONDS

THREADS: Final = 16
"""Requests to Vault at once."""

_HOPS: Final = 2
_WITH_ITS_BODY: Final = (307, 308)


class _Session(requests.Session):
    """Takes nothing from the environment (proxies, `.netrc`), and follows a standby node to the active one, but never out of TLS."""

    def __init__(self, connection: VaultConnection) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = connection.authorities
        self.max_redirects = _HOPS
        self._pools = HTTPAdapter(pool_connections=_HOPS, pool_maxsize=THREADS, max_retries=0)
        self.mount("http://", self._pools)
        self.mount("https://", self._pools)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where to go on, with the token. A standby answers 307; after other redirects a POST would become a GET."""
        target = super().get_redirect_target(resp) if resp.status_code in _WITH_ITS_BODY else None
        if target and urlsplit(resp.url).scheme == "https" and urlsplit(target).scheme == "http":
            return None
        return target

    def close(self) -> None:
        """Closes the connections now; left alone, urllib3 does so when the last error about one has been collected."""
        pools = self._pools.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 -- this mapping is not to be iterated over
            pools[key].close()
        super().close()


class Clients:
    """Makes clients, one for each token, which share the connections."""

    def __init__(self, connection: VaultConnection) -> None:
        self._connection = connection
        self._session = _Session(connection)

    def client(self, token: str) -> hvac.Client:
        """A client with this token; an empty one for none, as for logging in."""
        return hvac.Client(
            url=self._connection.address,
            token=token,
            timeout=(CONNECT_SECONDS, self._connection.timeout),
            session=self._session,
            namespace=self._connection.namespace,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()
