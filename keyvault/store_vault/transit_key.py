"""`TransitKey`: what Vault tells of a key, checked."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from keyvault.algorithms import PublicKey
from keyvault.errors import InvalidJwk, KeyDestroyed, KeyStoreConflict
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName
from keyvault.store_vault.names import VERSION, kinds_of, transit_name

_DANGERS: Final = {
    "exportable": "can be exported",
    "allow_plaintext_backup": "can be backed up in plain text",
    "imported_key": "was imported, so somebody else may have it",
    "derived": "is derived anew for each context",
}


@dataclass(frozen=True, slots=True)
class TransitKey:
    """A key as Vault describes it, under our name for it."""

    name: KeyName
    data: Mapping[str, Any]

    @property
    def trimmed(self) -> bool:
        """Whether the version that we sign with has been erased."""
        return int(self.data.get("min_available_version") or 0) > VERSION

    @property
    def retired(self) -> bool:
        """Whether that version can't sign any more: erased, or about to be."""
        least = max(int(self.data.get(f"min_{what}_version") or 0) for what in ("available", "encryption", "decryption"))
        return least > VERSION

    @property
    def rotated(self) -> bool:
        """Whether it has another version behind ours."""
        return self.latest > VERSION

    @property
    def imported(self) -> bool:
        """Whether it came from elsewhere, and has no version yet that Vault has made."""
        return bool(self.data.get("imported_key"))

    @property
    def latest(self) -> int:
        """The number of its newest version."""
        return int(self.data.get("latest_version") or 0)

    def check(self) -> None:
        """Refuses a key that we would not have made, nor taken in.

        Raises:
            KeyStoreConflict: it is of another type, or its private half may leave, or may have left.
        """
        wanted = [kind.type for kind in kinds_of(self.name)]
        if self.data.get("type") not in wanted:
            raise self._conflict(f"is of type {str(self.data.get('type'))[:40]!r} and not {' or '.join(map(repr, wanted))}")
        for member, danger in _DANGERS.items():
            if self.data.get(member) and not (member == "imported_key" and self.name.imported is not None):
                raise self._conflict(danger)

    def jwk(self) -> PublicJwk:
        """The public half.

        Raises:
            KeyDestroyed: it was destroyed.
            KeyStoreConflict: it is no such key.
        """
        if self.retired:
            raise KeyDestroyed(self.name)
        try:
            text = self.data["keys"][str(VERSION)]["public_key"]
            return PublicJwk.from_public_key(_public_key(text), self.name.algorithm)
        except (KeyError, TypeError, ValueError, InvalidJwk) as error:
            raise self._conflict("has no such public key") from error

    def _conflict(self, what: str) -> KeyStoreConflict:
        return KeyStoreConflict(
            f"the transit key {transit_name(self.name)!r} in Vault {what}: "
            "Tenantry did not make it so; find out who did, and delete it if nothing uses it"
        )


def _public_key(text: str) -> PublicKey:
    """Vault gives PEM, but an Ed25519 key as its 32 bytes in base64."""
    if not text.startswith("-----BEGIN"):
        return ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    key = load_pem_public_key(text.encode("ascii"))
    if not isinstance(key, PublicKey):
        raise ValueError("this is no key to verify with")  # noqa: TRY004 -- the caller's one kind of refusal
    return key
