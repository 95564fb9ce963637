"""`Transit`: a key store's calls, in requests to Vault's transit engine. Every method waits, so call it from a thread."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final

import hvac
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hvac import exceptions

from keyvault import base64url
from keyvault.algorithms import PrivateKey
from keyvault.errors import KeyNotFound, KeyStoreConflict, KeyStoreError, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.metrics import VAULT_BATCH_MESSAGES
from keyvault.store_vault.asker import Asker
from keyvault.store_vault.names import KINDS, VERSION, TransitKind, kind_to_import, kinds_of
from keyvault.store_vault.request import said
from keyvault.store_vault.transit_key import TransitKey
from keyvault.store_vault.wrapping import read_wrapping_key, wrapped

_NEXT: Final = VERSION + 1
_SIGNED: Final = f"vault:v{VERSION}:"
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Transit:
    """Keys in a transit engine."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def create(self, name: KeyName) -> TransitKey:
        """Makes the key if there is none of its name: Vault leaves one that is there as it is, without a word, whatever its type."""
        made: dict[str, Any] = {"key_type": KINDS[name.algorithm].type, "exportable": False, "allow_plaintext_backup": False}
        self._asker.ask(name, "create", "keys/{}", lambda transit, key, mount: transit.create_key(key, **made, mount_point=mount))
        try:
            return self.read(name)
        except KeyNotFound as error:
            raise self._asker.trouble(name, "it was made, and is not there yet; try again") from error

    def adopt(self, name: KeyName, private: PrivateKey) -> TransitKey:
        """Takes the key in, unless it is there: Vault refuses to import what it has.

        Raises:
            InvalidImport: Vault has no keys of its size.
            KeyStoreConflict: there is another key under this name.
        """
        kind = kind_to_import(name, private)
        if (there := self._adopted(name, private)) is not None:
            return there
        try:
            self._import(name, kind, private)
        except KeyStoreUnavailable:
            if (there := self._adopted(name, private)) is not None:
                return there  # somebody else was faster, which Vault says in prose only
            raise
        if (there := self._adopted(name, private)) is not None:
            return there
        raise self._asker.trouble(name, "it was imported, and is not there yet; try again")

    def _adopted(self, name: KeyName, private: PrivateKey) -> TransitKey | None:
        try:
            key = self.read(name)
        except KeyNotFound:
            return None
        if key.jwk().public_key() != private.public_key():
            raise KeyStoreConflict(f"the key store holds another key under {name}; remove it, or rename it")
        return key

    def _import(self, name: KeyName, kind: TransitKind, private: PrivateKey) -> None:
        def wrapping_key(client: hvac.Client, _: str, mount: str) -> RSAPublicKey:
            return read_wrapping_key(client.adapter.get(f"/v1/{mount}/wrapping_key")["data"]["public_key"])

        body = {
            "type": kind.type,
            "ciphertext": wrapped(private, self._asker.ask_client(name, "wrapping_key", "wrapping_key", wrapping_key)),
            "hash_function": "SHA256",
            "allow_rotation": True,  # `retire` takes its name over with another version
            "exportable": False,
            "allow_plaintext_backup": False,
        }
        self._asker.ask_client(
            name,
            "import",
            "keys/{}/import",
            lambda client, key, mount: client.adapter.post(f"/v1/{mount}/keys/{key}/import", json=body),
        )

    def read(self, name: KeyName) -> TransitKey:
        """What Vault tells of the key.

        Raises:
            KeyNotFound: there is none.
        """
        return self._asker.ask(
            name, "read", "keys/{}", lambda transit, key, mount: TransitKey(name, transit.read_key(key, mount_point=mount)["data"])
        )

    def sign(self, name: KeyName, payloads: Sequence[bytes]) -> list[bytes | KeyStoreError]:
        """The JWS signatures of the payloads (`TransitKind.payload`), in their order, made in one request; or what was wrong with one.

        Raises:
            KeyNotFound: there is no such key, or no more.
            KeyStoreConflict: it is not of its algorithm's type.
        """
        kinds = kinds_of(name)
        batch = [{"input": base64.b64encode(one).decode("ascii")} for one in payloads]
        VAULT_BATCH_MESSAGES.observe(len(batch))

        def work(transit: Any, key: str, mount: str) -> list[bytes | str]:
            try:
                answer = transit.sign_data(key, batch_input=batch, key_version=VERSION, mount_point=mount, **kinds[0].parameters)
            except exceptions.InvalidRequest as error:
                if error.errors is None:
                    raise
                return [said(error)]
            return signatures(answer["data"], *kinds)

        signed = self._asker.ask(name, "sign", "sign/{}", work)
        if len(signed) == len(batch) and any(isinstance(one, bytes) for one in signed):
            return [one if isinstance(one, bytes) else self._asker.trouble(name, one) for one in signed]
        key = self.read(name)  # Vault says it in prose only
        key.check()
        key.jwk()
        raise self._asker.trouble(name, next((one for one in signed if isinstance(one, str)), "not as many signatures as messages"))

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
        if not key.rotated or key.imported:
            self._asker.ask(name, "retire", "keys/{}/rotate", lambda transit, key, mount: transit.rotate_key(key, mount_point=mount))
        # Two imports at once may have left the key in two versions; the newest is now one that Vault has made.
        least = _NEXT if name.imported is None else self.read(name).latest
        self._limit(name, min_encryption_version=least)  # one at a time: hvac refuses equal ones
        self._limit(name, min_decryption_version=least)
        self._asker.ask(name, "retire", "keys/{}/trim", lambda transit, key, mount: transit.trim_key(key, least, mount_point=mount))
        if not self.read(name).trimmed:
            raise self._asker.trouble(name, "it was trimmed, and does not look so yet; try again")

    def _limit(self, name: KeyName, **least: int) -> None:
        self._asker.ask(
            name,
            "retire",
            "keys/{}/config",
            lambda transit, key, mount: transit.update_key_configuration(key, mount_point=mount, **least),
        )


def signatures(data: Mapping[str, Any], *kinds: TransitKind) -> list[bytes | str]:
    """The signatures of an answer, `vault:v1:…` in base64url (ECDSA) or plain base64; text for each item that is none, and says why."""
    sizes = {kind.signature_bytes for kind in kinds}
    return [_signature(result, sizes) for result in data["batch_results"]]


def _signature(result: Mapping[str, Any], sizes: AbstractSet[int]) -> bytes | str:
    text = str(result.get("signature") or "")
    if not text.startswith(_SIGNED):
        return str(result.get("error") or "its answer is no signature")
    with suppress(ValueError):
        signature = base64url.decode(text[len(_SIGNED) :].rstrip("=").translate(_URL_SAFE))
        if len(signature) in sizes:
            return signature
    return "its signature is not of this algorithm"
