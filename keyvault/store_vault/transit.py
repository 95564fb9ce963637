"""`Transit`: what is asked of Vault's transit engine. Every method waits for the answer, so call it from a thread."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import hvac
from hvac import exceptions

from keyvault import base64url
from keyvault.errors import KeyNotFound, KeyStoreError, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.metrics import VAULT_BATCH_MESSAGES
from keyvault.store_vault.client import Clients
from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.login import Lease, Login
from keyvault.store_vault.names import KINDS, VERSION, TransitKind, transit_name
from keyvault.store_vault.request import missing_mount, request, said, unavailable
from keyvault.store_vault.transit_key import TransitKey

_NEXT: Final = VERSION + 1
_SIGNED: Final = f"vault:v{VERSION}:"
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Transit:
    """The transit engine of a connection, asked with the right token."""

    def __init__(self, connection: VaultConnection) -> None:
        """Asks nothing yet."""
        self._connection = connection
        self._clients = Clients(connection)
        self.login = Login(connection, self._clients)
        self._mounted = False

    def create(self, name: KeyName) -> TransitKey:
        """Makes the key if there is none of its name: Vault leaves one that is there as it is, without a word, whatever its type."""
        made: dict[str, Any] = {"key_type": KINDS[name.algorithm].type, "exportable": False, "allow_plaintext_backup": False}
        self._do(name, "create", "keys/{}", lambda transit, key, mount: transit.create_key(key, **made, mount_point=mount))
        try:
            return self.read(name)
        except KeyNotFound as error:
            raise unavailable(self._connection, "trouble", f"it made the key {name} and does not show it yet; try again") from error

    def read(self, name: KeyName) -> TransitKey:
        """What Vault tells of the key.

        Raises:
            KeyNotFound: there is none.
        """
        answer = self._do(name, "read", "keys/{}", lambda transit, key, mount: transit.read_key(key, mount_point=mount))
        return TransitKey(name, self._data(answer))

    def sign(self, name: KeyName, payloads: Sequence[bytes]) -> list[bytes | KeyStoreError]:
        """The JWS signatures of the payloads (`TransitKind.payload`), in their order, made in one request; or what was wrong with one.

        Raises:
            KeyNotFound: there is no such key, or no more.
            KeyStoreConflict: it is not of its algorithm's type.
        """
        kind = KINDS[name.algorithm]
        asked = {"batch_input": [{"input": base64.b64encode(one).decode("ascii")} for one in payloads], "key_version": VERSION}
        VAULT_BATCH_MESSAGES.observe(len(payloads))
        try:
            answer = self._do(
                name, "sign", "sign/{}", lambda transit, key, mount: transit.sign_data(key, mount_point=mount, **asked, **kind.parameters)
            )
        except exceptions.InvalidRequest as error:
            raise self._unsigned(name, said(error)) from error
        signed = signatures(self._data(answer), kind)
        if len(signed) == len(payloads) and any(isinstance(one, bytes) for one in signed):
            return [one if isinstance(one, bytes) else self._wrong(name, one) for one in signed]
        raise self._unsigned(name, next((one for one in signed if isinstance(one, str)), "not as many signatures as messages"))

    def retire(self, name: KeyName) -> None:
        """Erases the version of the key that signs, for good. Its name stays, with a version that is never used: nobody can make it anew.

        Each step may have been done before, by a process that was killed or one that does the same now; after the second, nobody can
        sign with the key any more.

        Raises:
            KeyNotFound: there is no such key.
        """
        key = self.read(name)
        if key.trimmed:
            return
        if not key.rotated:
            self._do(name, "retire", "keys/{}/rotate", lambda transit, key, mount: transit.rotate_key(key, mount_point=mount))
        self._limit(name, min_encryption_version=_NEXT)  # one at a time: hvac refuses equal ones
        self._limit(name, min_decryption_version=_NEXT)
        self._do(name, "retire", "keys/{}/trim", lambda transit, key, mount: transit.trim_key(key, _NEXT, mount_point=mount))

    def close(self) -> None:
        """Closes the connections."""
        self._clients.close()

    def _limit(self, name: KeyName, **least: int) -> None:
        self._do(
            name,
            "retire",
            "keys/{}/config",
            lambda transit, key, mount: transit.update_key_configuration(key, mount_point=mount, **least),
        )

    def _unsigned(self, name: KeyName, words: str) -> KeyStoreError:
        """Why there is no signature: Vault says it in prose only, so the key is looked at.

        Raises:
            KeyNotFound: there is none, or it was destroyed.
            KeyStoreConflict: it is another one.
        """
        key = self.read(name)
        key.jwk()
        key.check()
        return self._wrong(name, words)

    def _wrong(self, name: KeyName, words: str) -> KeyStoreError:
        return unavailable(self._connection, "trouble", f"it does not sign this with the key {name}: {words[:200]}")

    def _do(self, name: KeyName, operation: str, path: str, work: Callable[[Any, str, str], Any]) -> Any:
        """One request about a key, with a token that is good, and once more with a new one if that is refused."""
        key, mount = transit_name(name), self._connection.mount
        path = f"{mount}/{path.format(key)}"
        lease = self._ready()
        for _ in range(2):
            try:
                return request(self._connection, lease.client, operation, lambda client: work(client.secrets.transit, key, mount))
            except exceptions.InvalidPath as error:
                raise KeyNotFound(f"the key store has no key {name}") from error
            except exceptions.Forbidden as error:
                if not self.login.revive(lease):
                    raise self._refused(lease, path) from error
                lease = self.login.lease()
        raise self._refused(lease, path)

    def _ready(self) -> Lease:
        """A lease for a mount that is there, and is what it should be: else keys would seem to be lost."""
        lease = self.login.lease()
        while not self._mounted:
            try:
                kind = self._data(request(self._connection, lease.client, "mount", self._look_at_mount)).get("type")
            except exceptions.Forbidden as error:
                if not self.login.revive(lease):
                    if self.login.is_valid(lease):
                        raise unavailable(self._connection, "mount", missing_mount(self._connection)) from error
                    raise self._refused(lease, f"{self._connection.mount}/keys/+") from error
                lease = self.login.lease()
                continue
            if kind != "transit":
                raise unavailable(self._connection, "mount", f"{self._connection.mount!r} is of type {kind!r}; name a mount of transit")
            self._mounted = True
        return lease

    def _look_at_mount(self, client: hvac.Client) -> Any:
        return client.adapter.get(f"/v1/sys/internal/ui/mounts/{self._connection.mount}")

    def _refused(self, lease: Lease, path: str) -> KeyStoreUnavailable:
        lacks = f"its policy does not allow {path!r} (docs/vault-policy.hcl is the one it needs)"
        dead = "it has ended or was revoked; give the service a new token, or a role, which logs in by itself"
        valid = self.login.is_valid(lease)
        what = lacks if valid else dead if valid is False else f"{dead}; or {lacks}"
        return unavailable(self._connection, "refused", f"it refuses the token: {what}")

    def _data(self, answer: Any) -> Mapping[str, Any]:
        if not (isinstance(answer, dict) and isinstance(answer.get("data"), dict)):
            raise unavailable(self._connection, "away", "what answers there is not Vault; check the address and the proxies before it")
        data: Mapping[str, Any] = answer["data"]
        return data


def signatures(data: Mapping[str, Any], kind: TransitKind) -> list[bytes | str]:
    """The signatures of an answer, `vault:v1:…` in base64url (ECDSA) or plain base64; text for each item that is none, and says why."""
    return [_signature(result, kind) for result in data.get("batch_results") or []]


def _signature(result: Mapping[str, Any], kind: TransitKind) -> bytes | str:
    text = str(result.get("signature") or "")
    if not text.startswith(_SIGNED):
        return str(result.get("error") or "its answer is no signature")
    with suppress(ValueError):
        signature = base64url.decode(text[len(_SIGNED) :].rstrip("=").translate(_URL_SAFE))
        if len(signature) == kind.signature_bytes:
            return signature
    return "its signature is not of this algorithm"
