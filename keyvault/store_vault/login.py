"""`Login`: the token that requests are made with, from the first login to the last renewal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic
from typing import Any, Final

import hvac
import structlog
from hvac import exceptions

from keyvault.errors import KeyStoreUnavailable
from keyvault.store_vault.client import Clients
from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.request import request, said, unavailable

_log = structlog.get_logger(__name__)
_RENEW_AT: Final = 2 / 3  # of a token's life
_PATIENCE: Final = 60.0  # seconds that a role that can't look its token up keeps a refused one, before it logs in again
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds after a refused login: Vault locks a role out that keeps trying


@dataclass(frozen=True, slots=True)
class Lease:
    """A token, in a client that sends it. Times are of the monotonic clock, in seconds.

    Attributes:
        client: for requests.
        since: when we got it.
        seconds: how long it lives if it is not renewed; infinite for a root token, or one that may not be looked up.
        renewable: whether it can be made to live longer.
        known: whether it may be looked up, so that a token that can't be any more is known to be dead.
    """

    client: hvac.Client
    since: float
    seconds: float
    renewable: bool
    known: bool

    @property
    def renew_at(self) -> float:
        """When it should be renewed."""
        return self.since + self.seconds * _RENEW_AT

    @property
    def ends_at(self) -> float:
        """When it ends."""
        return self.since + self.seconds


@dataclass(frozen=True, slots=True)
class _Granted:
    """What Vault grants: a token, or a longer life. Nothing else of its answer is kept in a variable, lest a logger show the token."""

    token: str = field(repr=False)
    seconds: float
    renewable: bool

    @classmethod
    def of(cls, auth: Mapping[str, Any]) -> _Granted:
        """Reads `auth`, of a login or a renewal."""
        return cls(auth["client_token"], auth["lease_duration"] or math.inf, bool(auth["renewable"]))

    @classmethod
    def found(cls, data: Mapping[str, Any]) -> _Granted:
        """Reads `data`, of a token that was looked up; a root token is not said to be renewable or not."""
        return cls(data["id"], data["ttl"] or math.inf, bool(data.get("renewable")))


class Login:
    """Gives the token, whichever thread asks. Every method may wait for Vault.

    Attributes:
        changed: set when there is a new lease.
    """

    def __init__(self, connection: VaultConnection, clients: Clients) -> None:
        self.changed = Event()
        self._connection = connection
        self._clients = clients
        self._lock = Lock()
        self._lease: Lease | None = None
        self._failed: tuple[float, KeyStoreUnavailable] | None = None
        self._refusals = 0
        self._not_before = -math.inf

    @property
    def held(self) -> Lease | None:
        """The lease that we have now, if we have one."""
        return self._lease

    def lease(self) -> Lease:
        """A lease that has not ended, as far as we know; logs in if there is none.

        Raises:
            KeyStoreUnavailable: Vault is away, or refuses the role.
        """
        held = self._lease
        if held is not None and monotonic() < held.ends_at:
            return held
        return self._log_in(instead_of=held)

    def revive(self, refused: Lease) -> bool:
        """After Vault has refused a request: whether there is another token to try it with, because this one was dead."""
        if self._lease is not refused:
            return True
        if self._connection.role_id is None or not self._is_dead(refused):
            return False
        self._log_in(instead_of=refused)
        return True

    def renew(self) -> None:
        """Makes the token live longer; a role logs in again if that can't be done any more.

        Raises:
            KeyStoreUnavailable: not now.
        """
        held = self._lease
        if held is None:
            return
        if held.renewable and (renewed := self._renew(held)) is not None:
            self._replace(held, renewed)
        elif self._connection.role_id is not None:
            self._log_in(instead_of=held)
        else:
            _log.warning("vault_token_ends", seconds=round(max(0, held.ends_at - monotonic())), hint="it can't be renewed; give a new one")
            self._replace(held, Lease(held.client, held.since, math.inf, renewable=False, known=held.known))

    def is_valid(self, lease: Lease) -> bool | None:
        """Whether Vault knows the token; None if it may not be looked up, so that nobody can tell."""
        if not lease.known:
            return None
        return self._look_up(lease.client) is not None

    def _is_dead(self, lease: Lease) -> bool:
        valid = self.is_valid(lease)
        return monotonic() - lease.since > _PATIENCE if valid is None else not valid

    def _renew(self, held: Lease) -> Lease | None:
        since = monotonic()
        try:
            granted = self._ask(held.client, "renew", lambda client: _Granted.of(client.auth.token.renew_self()["auth"]))
        except exceptions.VaultError:
            return None
        renewed = Lease(held.client, since, granted.seconds, granted.renewable, held.known)
        near_its_end = renewed.ends_at < held.ends_at + held.seconds * (1 - _RENEW_AT) / 2  # it has reached its max_ttl
        return None if near_its_end and self._connection.role_id is not None else renewed

    def _log_in(self, instead_of: Lease | None) -> Lease:
        asked = monotonic()
        with self._lock:
            if self._lease is not None and self._lease is not instead_of:
                return self._lease  # another thread did it while this one waited
            if self._failed is not None and (self._failed[0] > asked or monotonic() < self._not_before):
                raise type(self._failed[1])(str(self._failed[1]))
            try:
                lease = self._from_role() if self._connection.role_id is not None else self._from_token()
            except KeyStoreUnavailable as error:
                self._failed = monotonic(), error
                raise
            self._failed = None
            self._refusals = 0
            self._take(lease)
            return lease

    def _from_token(self) -> Lease:
        since = monotonic()
        client = self._clients.client(self._connection.token or "")
        found = self._look_up(client)
        if found is None:
            return Lease(client, since, math.inf, renewable=False, known=False)
        return Lease(client, since, found.seconds, found.renewable, known=True)

    def _from_role(self) -> Lease:
        c, since = self._connection, monotonic()
        try:
            granted = self._ask(
                self._clients.client(""),
                "login",
                lambda client: _Granted.of(
                    client.auth.approle.login(c.role_id, c.secret_id, use_token=False, mount_point=c.approle)["auth"]
                ),
            )
        except exceptions.VaultError as error:
            self._not_before = monotonic() + min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._refusals)
            self._refusals += 1
            raise unavailable("refused", _refusal(c, error)) from error
        client = self._clients.client(granted.token)
        return Lease(client, since, granted.seconds, granted.renewable, known=self._look_up(client) is not None)

    def _look_up(self, client: hvac.Client) -> _Granted | None:
        try:
            return self._ask(client, "lookup", lambda client: _Granted.found(client.auth.token.lookup_self()["data"]))
        except exceptions.VaultError:
            return None

    def _ask(self, client: hvac.Client, operation: str, work: Callable[[hvac.Client], _Granted]) -> _Granted:
        return request(self._connection, client, operation, work)

    def _replace(self, held: Lease, lease: Lease) -> None:
        with self._lock:
            if self._lease is held:  # else another thread has logged in meanwhile
                self._take(lease)

    def _take(self, lease: Lease) -> None:
        self._lease = lease
        self.changed.set()


def _refusal(connection: VaultConnection, error: exceptions.VaultError) -> str:
    hint = "it refuses the role id or the secret id; give the service a new secret id of its role"
    if not isinstance(error, exceptions.InvalidRequest):  # without a token, Vault does not tell what is there
        enable = f"`bao auth enable -path={connection.approle} approle` enables it"
        hint = f"it refuses to log in: either AppRole is not enabled at {connection.approle!r} ({enable}), or {hint}"
    return f"{hint} ({said(error)})"
