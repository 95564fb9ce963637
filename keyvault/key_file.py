"""The file of one key: a line of JSON that anyone may read, then the private key, encrypted.

The first line is the header: `version`, `name`, `algorithm`, `jwk` (the public half) and `nonce`; what follows is the PKCS#8 private
key under AES-256-GCM, with the header line as associated data. So a file that was moved to another name, or whose header was changed,
does not decrypt. A destroyed key's file holds a header with `destroyed` only.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from keyvault import algorithms, base64url
from keyvault.algorithms import PrivateKey
from keyvault.errors import InvalidJwk, KeyDestroyed, KeyStoreConflict
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName
from keyvault.master_key import NONCE_BYTES, MasterKey

_VERSION = 1


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A key in memory. The private half is left out of `repr`."""

    jwk: PublicJwk
    private: PrivateKey = field(repr=False)


def seal(master: MasterKey, name: KeyName, private: PrivateKey) -> bytes:
    """The file of a new key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    jwk = PublicJwk.from_public_key(private.public_key(), name.algorithm)
    header = _line(
        {
            "version": _VERSION,
            "name": str(name),
            "algorithm": name.algorithm,
            "jwk": jwk.to_dict(),
            "nonce": base64url.encode(nonce),
        }
    )
    return header + master.seal(nonce, private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), header)


def tombstone(name: KeyName) -> bytes:
    """The file of a destroyed key."""
    return _line({"version": _VERSION, "name": str(name), "destroyed": True})


def is_tombstone(content: bytes) -> bool:
    """Whether the file says that its key was destroyed."""
    return _header(content).get("destroyed") is True


def opens(master: MasterKey, content: bytes) -> bool:
    """Whether the private key in the file is encrypted under this master key, and unaltered."""
    return _plaintext(master, content) is not None


def reseal(old: MasterKey, new: MasterKey, content: bytes) -> bytes:
    """The file of the same key under another master key.

    Raises:
        KeyStoreConflict: it does not open under the old one.
    """
    plaintext = _plaintext(old, content)
    if plaintext is None:
        raise KeyStoreConflict("the file of a key was altered; restore it from its backup")
    nonce = secrets.token_bytes(NONCE_BYTES)
    header = _line({**_header(content), "nonce": base64url.encode(nonce)})
    return header + new.seal(nonce, plaintext, header)


def unseal(master: MasterKey, name: KeyName, content: bytes) -> OpenedKey:
    """The key in the file.

    Raises:
        KeyDestroyed: it was destroyed.
        KeyStoreConflict: this is not the file of the key with this name, or it was altered.
    """
    header = _header(content)
    if header.get("version") != _VERSION:
        raise KeyStoreConflict(f"the file of key {name} is not of version {_VERSION}; it was altered, or a newer version wrote it")
    if header.get("name") != str(name):
        raise KeyStoreConflict(f"the file of key {name} holds another key, {str(header.get('name'))[:200]!r}; put it back where it was")
    if header.get("destroyed") is True:
        raise KeyDestroyed(name)
    altered = KeyStoreConflict(f"the file of key {name} was altered; restore it from its backup")
    try:
        plaintext = _plaintext(master, content)
        if plaintext is None:
            raise altered
        jwk = PublicJwk.from_dict(header["jwk"])
    except (KeyError, TypeError, ValueError, AttributeError, InvalidJwk) as error:
        raise altered from error
    # GCM has just proved that this process or its like wrote it, so RSA's slow consistency check can be left out.
    private = load_der_private_key(plaintext, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, PrivateKey) or not algorithms.fits(name.algorithm, private) or jwk.alg is not name.algorithm:
        raise KeyStoreConflict(f"the file of key {name} holds a key for another algorithm")
    return OpenedKey(jwk, private)


def _plaintext(master: MasterKey, content: bytes) -> bytes | None:
    try:
        line, ciphertext = content.split(b"\n", 1)
        return master.unseal(base64url.decode(json.loads(line)["nonce"]), ciphertext, line + b"\n")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _line(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode("ascii") + b"\n"


def _header(content: bytes) -> dict[str, Any]:
    try:
        header = json.loads(content.split(b"\n", 1)[0])
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}
