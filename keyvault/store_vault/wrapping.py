"""A private key on its way into Vault: encrypted for its wrapping key, which only Vault can open."""

from __future__ import annotations

import base64
import secrets
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from keyvault.algorithms import PrivateKey

_AES_BYTES: Final = 32


def read_wrapping_key(pem: str) -> rsa.RSAPublicKey:
    """The wrapping key of a transit engine, RSA-4096.

    Raises:
        ValueError: this is none.
    """
    public = load_pem_public_key(pem.encode("ascii"))
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("the wrapping key is no RSA key")  # noqa: TRY004 -- like any other text that is none
    return public


def wrapped(private: PrivateKey, wrapping_key: rsa.RSAPublicKey) -> str:
    """What transit imports: the key as PKCS#8 under AES-KWP (RFC 5649) with a key of this one time, which is under RSA-OAEP, in base64."""
    once = secrets.token_bytes(_AES_BYTES)
    key = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return base64.b64encode(wrapping_key.encrypt(once, oaep) + aes_key_wrap_with_padding(once, key)).decode("ascii")
