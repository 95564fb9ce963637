"""`Asker`: requests about keys, made with a token that is good, on a mount that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import hvac
from hvac import exceptions

from keyvault.errors import KeyNotFound, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.store_vault.client import Clients
from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.login import Lease, Login
from keyvault.store_vault.names import transit_name
from keyvault.store_vault.request import missing_mount, request, said, unavailable

T = TypeVar("T")
_TRANSIT: Final = "transit"
_LOGINS: Final = 2
"""How often a new token is tried for one request."""


class Asker:
    """Asks the transit engine of a connection. Every method waits for the answer, so call it from a thread.

    Attributes:
        login: the token's.
        mounted: whether the mount was found to be what it should be.
    """

    def __init__(self, connection: VaultConnection) -> None:
        """Asks nothing yet."""
        self._connection = connection
        self._clients = Clients(connection)
        self.mounted = False
        self.login = Login(connection, self._clients)

    def ask(self, name: KeyName, operation: str, path: str, work: Callable[[Any, str, str], T]) -> T:
        """One request about a key; once more with a new token, if the token is refused because it is dead.

        Args:
            name: of the key.
            operation: for the metric.
            path: under the mount, with `{}` for the key's name in Vault: what a policy must allow.
            work: makes the request, given hvac's transit API, the key's name in Vault, and the mount.

        Raises:
            KeyNotFound: there is no such key.
            KeyStoreUnavailable: Vault can't answer now, or refuses it.
        """
        return self.ask_client(name, operation, path, lambda client, key, mount: work(client.secrets.transit, key, mount))

    def ask_client(self, name: KeyName, operation: str, path: str, work: Callable[[hvac.Client, str, str], T]) -> T:
        """The same for what hvac's transit API does not have: `work` is given the client."""
        key, mount = transit_name(name), self._connection.mount
        lease = self._ready()
        for last in (False, True):
            try:
                return request(self._connection, lease.client, operation, lambda client: work(client, key, mount))
            except exceptions.InvalidPath as error:
                raise KeyNotFound(f"the key store has no key {name}") from error
            except exceptions.InvalidRequest as error:
                raise self.trouble(name, said(error)) from error
            except exceptions.Forbidden as error:
                if last or not self.login.revive(lease):
                    raise self._refused(lease, f"{mount}/{path.format(key)}") from error
                lease = self.login.lease()
        raise AssertionError("the last attempt has returned or raised")

    def trouble(self, name: KeyName, words: str) -> KeyStoreUnavailable:
        """The error for what Vault does not do with this key, for a reason that it gives in prose only."""
        return unavailable("trouble", f"about the key {name} it says {words[:200]!r}")

    def close(self) -> None:
        """Closes the connections."""
        self._clients.close()

    def _ready(self) -> Lease:
        """A lease for a mount that is what it should be. Otherwise the keys of a store would seem to be lost where they never were."""
        lease = self.login.lease()
        for _ in range(_LOGINS):
            if self.mounted:
                break
            try:
                kind = request(self._connection, lease.client, "mount", self._kind_of_mount)
            except exceptions.Forbidden as error:
                if self.login.revive(lease):
                    lease = self.login.lease()
                    continue
                if self.login.is_valid(lease):
                    raise unavailable("mount", missing_mount(self._connection)) from error
                raise self._refused(lease, f"{self._connection.mount}/keys/+") from error
            if kind != _TRANSIT:
                raise unavailable("mount", f"{self._connection.mount!r} is of type {kind!r}; name a mount of transit")
            self.mounted = True
        return lease

    def _kind_of_mount(self, client: hvac.Client) -> str:
        """What is at the mount. Vault tells every valid token that may do anything there; a policy is not asked."""
        try:
            return str(client.adapter.get(f"/v1/sys/internal/ui/mounts/{self._connection.mount}")["data"]["type"])
        except (exceptions.InvalidPath, exceptions.InvalidRequest) as error:
            if error.errors:
                raise
            return _TRANSIT  # it does not tell

    def _refused(self, lease: Lease, path: str) -> KeyStoreUnavailable:
        lacks = f"its policy does not allow {path!r} (docs/vault-policy.hcl is the one it needs)"
        dead = "it has ended or was revoked; give the service a new token, or a role, which logs in by itself"
        valid = self.login.is_valid(lease)
        what = lacks if valid else dead if valid is False else f"{dead}; or {lacks}"
        return unavailable("refused", f"it refuses the token: {what}")
