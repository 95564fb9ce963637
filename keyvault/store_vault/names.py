"""What a key is called in Vault, what it must be like, and how it signs: a row for each algorithm."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from keyvault.algorithms import RSA_BITS, Algorithm, PrivateKey
from keyvault.errors import InvalidImport
from keyvault.key_store import KeyName

VERSION: Final = 1
"""A transit key has versions; ours are signed with the first one only, so that a key is a key."""


@dataclass(frozen=True, slots=True)
class TransitKind:
    """How Vault's transit engine makes and uses the keys of an algorithm.

    Attributes:
        type: of the transit key.
        parameters: of a request to sign.
        hash: what is sent is the digest: it is shorter, and Vault need not see what it signs. None: Ed25519 takes the message itself.
        signature_bytes: how long a signature is (RFC 7518 section 3.4; RFC 8032 section 5.1.6).
        batch: messages in one request: about as much work for Vault as the request itself is, several times over.
    """

    type: str
    parameters: Mapping[str, Any]
    hash: str | None
    signature_bytes: int
    batch: int

    def payload(self, message: bytes) -> bytes:
        """What Vault is sent of the message."""
        return message if self.hash is None else hashlib.new(self.hash, message).digest()


def _ecdsa(curve: str, bits: int, size: int) -> TransitKind:
    parameters = {"prehashed": True, "hash_algorithm": f"sha2-{bits}", "marshaling_algorithm": "jws"}
    return TransitKind(f"ecdsa-{curve}", parameters, f"sha{bits}", 2 * size, 128)


def _rsa(**padding: str) -> TransitKind:
    parameters = {"prehashed": True, "hash_algorithm": "sha2-256", **padding}
    return TransitKind(f"rsa-{RSA_BITS}", parameters, "sha256", RSA_BITS // 8, 16)


def _of_rsa(kind: TransitKind, bits: int) -> TransitKind:
    return replace(kind, type=f"rsa-{bits}", signature_bytes=bits // 8)


KINDS: Final[Mapping[Algorithm, TransitKind]] = {
    Algorithm.RS256: _rsa(signature_algorithm="pkcs1v15"),
    Algorithm.PS256: _rsa(signature_algorithm="pss", salt_length="hash"),
    Algorithm.ES256: _ecdsa("p256", 256, 32),
    Algorithm.ES384: _ecdsa("p384", 384, 48),
    Algorithm.EDDSA: TransitKind("ed25519", {}, None, 64, 128),
}


IMPORTED_RSA_BITS: Final = (2048, 3072, 4096)
"""Of the RSA keys that transit can keep."""


def kinds_of(name: KeyName) -> tuple[TransitKind, ...]:
    """The kinds that the key with this name may be of: one, but for an imported RSA key, which may be larger than those made here."""
    kind = KINDS[name.algorithm]
    if name.imported is None or not kind.type.startswith("rsa-"):
        return (kind,)
    return tuple(_of_rsa(kind, bits) for bits in IMPORTED_RSA_BITS)


def kind_to_import(name: KeyName, private: PrivateKey) -> TransitKind:
    """The kind that a key has in transit.

    Raises:
        InvalidImport: transit has no keys like it.
    """
    kind = KINDS[name.algorithm]
    if not isinstance(private, rsa.RSAPrivateKey):
        return kind
    if private.key_size not in IMPORTED_RSA_BITS:
        bits = ", ".join(map(str, IMPORTED_RSA_BITS))
        raise InvalidImport(f"Vault keeps RSA keys of {bits} bits, and none of {private.key_size}; rotate to a new key instead")
    return _of_rsa(kind, private.key_size)


def transit_name(name: KeyName) -> str:
    """`TENANT.NUMBER.ALGORITHM`. A tenant id has no dot, so no other key is called so, and `TENANT.*` in a policy is this tenant only."""
    return f"{name.scope.tenant}.{name.number}.{name.algorithm}"
