"""`Transit`: a key store's calls, in requests to Vault's transit engine. Every method waits, so call it from a thread."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from hvac import exceptions

from keyvault import base64url
from keyvault.errors import KeyNotFound, KeyStoreError
from keyvault.key_store import KeyName
from keyvault.metrics import VAULT_BATCH_MESSAGES
from keyvault.store_vault.asker import Asker
from keyvault.store_vault.names import KINDS, VERSION, TransitKind
from keyvault.store_vault.request import said
from keyvault.store_vault.transit_key import TransitKey

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
        kind = KINDS[name.algorithm]
        batch = [{"input": base64.b64encode(one).decode("ascii")} for one in payloads]
        VAULT_BATCH_MESSAGES.observe(len(batch))

        def work(transit: Any, key: str, mount: str) -> list[bytes | str]:
            try:
                answer = transit.sign_data(key, batch_input=batch, key_version=VERSION, mount_point=mount, **kind.parameters)
            except exceptions.InvalidRequest as error:
                if error.errors is None:
                    raise
                return [said(error)]
            return signatures(answer["data"], kind)

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
        if not key.rotated:
            self._asker.ask(name, "retire", "keys/{}/rotate", lambda transit, key, mount: transit.rotate_key(key, mount_point=mount))
        self._limit(name, min_encryption_version=_NEXT)  # one at a time: hvac refuses equal ones
        self._limit(name, min_decryption_version=_NEXT)
        self._asker.ask(name, "retire", "keys/{}/trim", lambda transit, key, mount: transit.trim_key(key, _NEXT, mount_point=mount))
        if not self.read(name).trimmed:
            raise self._asker.trouble(name, "it was trimmed, and does not look so yet; try again")

    def _limit(self, name: KeyName, **least: int) -> None:
        self._asker.ask(
            name,
            "retire",
            "keys/{}/config",
            lambda transit, key, mount: transit.update_key_configuration(key, mount_point=mount, **least),
        )


def signatures(data: Mapping[str, Any], kind: TransitKind) -> list[bytes | str]:
    """The signatures of an answer, `vault:v1:…` in base64url (ECDSA) or plain base64; text for each item that is none, and says why."""
    return [_signature(result, kind) for result in data["batch_results"]]


def _signature(result: Mapping[str, Any], kind: TransitKind) -> bytes | str:
    text = str(result.get("signature") or "")
    if not text.startswith(_SIGNED):
        return str(result.get("error") or "its answer is no signature")
    with suppress(ValueError):
        signature = base64url.decode(text[len(_SIGNED) :].rstrip("=").translate(_URL_SAFE))
        if len(signature) == kind.signature_bytes:
            return signature
    return "its signature is not of this algorithm"
