"""The signature algorithms, and what JWS does with them (RFC 7518 section 3, RFC 8037 section 3.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_BITS = 2048  # of the keys made here: the least that RFC 7518 section 3.3 allows, and what every client accepts


class Algorithm(StrEnum):
    """A signature algorithm, by its JWS name (RFC 7518 section 3.1; EdDSA is Ed25519 only)."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    ES384 = "ES384"
    EDDSA = "EdDSA"


def generate(algorithm: Algorithm) -> PrivateKey:
    """A new private key for the algorithm, from the operating system's random source."""
    match algorithm:
        case Algorithm.RS256 | Algorithm.PS256:
            return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        case Algorithm.ES256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.ES384:
            return ec.generate_private_key(ec.SECP384R1())
        case Algorithm.EDDSA:
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            assert_never(algorithm)


def fits(algorithm: Algorithm, key: PrivateKey | PublicKey) -> bool:
    """Whether the key is of the algorithm's type and curve."""
    match algorithm:
        case Algorithm.RS256 | Algorithm.PS256:
            return isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey)
        case Algorithm.ES256:
            return isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        case Algorithm.ES384:
            return isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
        case Algorithm.EDDSA:
            return isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey)
        case _:
            assert_never(algorithm)


def sign(algorithm: Algorithm, key: PrivateKey, message: bytes) -> bytes:
    """The JWS signature of the message; for ECDSA the fixed-length `R || S` (RFC 7518 section 3.4).

    Raises:
        ValueError: the key does not fit the algorithm.
    """
    if fits(algorithm, key):
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, _rsa_padding(algorithm), hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(_ec_hash(algorithm))))
            size = (key.curve.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return key.sign(message)
    raise ValueError(f"this key is not for {algorithm}")


def verify(algorithm: Algorithm, key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the JWS signature of the message was made with the key's private half.

    Raises:
        ValueError: the key does not fit the algorithm.
    """
    if not fits(algorithm, key):
        raise ValueError(f"this key is not for {algorithm}")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, _rsa_padding(algorithm), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:  # other lengths (DER, too) are no JWS signature
                return False
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(_ec_hash(algorithm)))
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _rsa_padding(algorithm: Algorithm) -> padding.PKCS1v15 | padding.PSS:
    if algorithm is Algorithm.PS256:  # the salt is as long as the hash: RFC 7518 section 3.5
        return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
    return padding.PKCS1v15()


def _ec_hash(algorithm: Algorithm) -> hashes.HashAlgorithm:
    return hashes.SHA384() if algorithm is Algorithm.ES384 else hashes.SHA256()
