"""One request to Vault: how long it took, and in our words why it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import hvac
import requests
from hvac import exceptions
from urllib3.exceptions import ProtocolError

from keyvault.errors import KeyStoreDown, KeyStoreUnavailable
from keyvault.metrics import VAULT_FAILURES, VAULT_REQUEST_SECONDS
from keyvault.store_vault.connection import VaultConnection

T = TypeVar("T")
_MAX_TEXT: Final = 200
_DOWN: Final = frozenset({"away", "sealed", "timeout"})
"""The reasons that are no key's and no token's own."""

CONNECT_SECONDS: Final = 3
"""For a connection; the answer may take the connection's `timeout`."""


def request(connection: VaultConnection, client: hvac.Client, operation: str, work: Callable[[hvac.Client], T]) -> T:
    """Does `work`, one request, with the client; once more if Vault closed the connection without an answer.

    So `work` must be something that changes nothing when it is repeated. It should take from the answer what it needs: an answer that
    does not have that is not Vault's. No error that leaves here has the frames of the HTTP client in its traceback, since the secrets
    are among their variables, which some loggers show.

    Raises:
        KeyStoreDown: Vault is away or sealed, or is not what the URL says.
        KeyStoreUnavailable: it is in trouble.
        exceptions.Forbidden: it refuses the token, or what the token may do.
        exceptions.InvalidPath: it is not there. Only what Vault itself says of what it holds: no missing mount, and no proxy's page.
        exceptions.InvalidRequest: it can't be done.
    """
    try:
        with VAULT_REQUEST_SECONDS.labels(operation).time():
            try:
                return work(client)
            except requests.ConnectionError as error:
                if not (error.args and isinstance(error.args[0], ProtocolError)):
                    raise
            return work(client)  # it may have idled too long, at a proxy or where Vault was before it was restarted
    except exceptions.VaultError as error:
        if (isinstance(error, exceptions.Forbidden | exceptions.InvalidRequest) and error.errors is not None) or (
            isinstance(error, exceptions.InvalidPath) and error.errors == []
        ):
            raise error.with_traceback(None) from None
        reason, what = _answered(connection, error)
    except requests.RequestException as error:
        reason, what = _failed(connection, error)
    except OSError:  # `cafile`
        reason, what = "away", f"the authorities {connection.authorities} can't be read: name a PEM file in cafile="
    except (KeyError, TypeError, ValueError, AttributeError):
        reason, what = "away", "what answers there is not Vault; check the address and the proxies before it"
    raise unavailable(reason, what)  # outside of `except`, whose error it would take along


def unavailable(reason: str, what: str) -> KeyStoreUnavailable:
    """The error, counted. Whoever has a token signed is told of it, so it does not say where Vault is.

    Args:
        reason: one word, for the metric.
        what: happened, and what to do.
    """
    VAULT_FAILURES.labels(reason).inc()
    kind = KeyStoreDown if reason in _DOWN else KeyStoreUnavailable
    return kind(f"the key store in Vault can't be used now: {what}")


def said(error: exceptions.VaultError) -> str:
    """Vault's own words, on one line."""
    text = "; ".join(str(one) for one in error.errors) if error.errors else (error.text or "")
    return " ".join(text.split())[:_MAX_TEXT]


def _answered(connection: VaultConnection, error: exceptions.VaultError) -> tuple[str, str]:
    text = said(error)
    if isinstance(error, exceptions.VaultDown) and "sealed" in text:
        return "sealed", "it is sealed; unseal it (`bao operator unseal`), and everything goes on by itself"
    if isinstance(error, exceptions.VaultNotInitialized):
        return "sealed", "it is not initialised (`bao operator init`)"
    if isinstance(error, exceptions.InvalidPath) and "namespace" in text:
        return "mount", f"there is no namespace {connection.namespace!r}; `bao namespace create {connection.namespace}` makes it"
    if isinstance(error, exceptions.InvalidPath) and error.errors:
        return "mount", missing_mount(connection)
    if "HTTP request to an HTTPS server" in text:
        return "away", "it speaks TLS; write tls=true in its URL"
    if isinstance(error, exceptions.RateLimitExceeded):
        return "busy", "it has reached a rate limit; raise its quota, or ask less"
    if error.errors is None:
        return "away", f"what answers there is not Vault ({type(error).__name__}: {text!r}); check the address and the proxies before it"
    return "trouble", f"it says {text!r} ({type(error).__name__})"


def missing_mount(connection: VaultConnection) -> str:
    """What to do where the engine is not."""
    return (
        f"there is no transit engine at {connection.mount!r} that its token may use; `bao secrets enable -path={connection.mount} transit`"
        f" makes it{_within(connection)}, and docs/vault-policy.hcl is the policy for the token"
    )


def _within(connection: VaultConnection) -> str:
    return f" (in namespace {connection.namespace!r})" if connection.namespace else ""


def _failed(connection: VaultConnection, error: requests.RequestException) -> tuple[str, str]:
    if isinstance(error, requests.exceptions.SSLError):
        return (
            "away",
            "no TLS connection: name its authority in cafile=, check that the host's name is the certificate's, and that it speaks TLS",
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "timeout", f"no connection within {CONNECT_SECONDS} seconds"
    if isinstance(error, requests.exceptions.Timeout):
        return "timeout", f"no answer within {connection.timeout} seconds"
    return "away", f"no connection ({type(error).__name__}); is it running, and is this its address?"
