"""A private key that was made elsewhere, read from PEM or JWK. No error that leaves here holds any of it, nor has it in its traceback."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from keyvault import base64url
from keyvault.algorithms import Algorithm, PrivateKey, fits
from keyvault.errors import InvalidImport, InvalidJwk
from keyvault.jwk import PRIVATE_MEMBERS, PublicJwk

_MAX_CHARACTERS: Final = 20_000  # RSA-4096 as PEM has some 3,300
_RSA_BITS: Final = (2048, 3072, 4096)  # Vault keeps no others, and the check of a larger key holds the interpreter for seconds
_BASES: Final = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79)  # each finds half of all primes
_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}
_FORMS: Final = "PEM (PKCS#8, PKCS#1 or SEC1, not encrypted), a JWK, or base64 of DER"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A private key, which `repr` does not show.

    Attributes:
        kid: what it was called, if that is known.
        algorithm: what it was used with, if that is known or there is only one for its kind.
    """

    private: PrivateKey = field(repr=False)
    kid: str | None = None
    algorithm: Algorithm | None = None

    @property
    def thumbprint(self) -> str:
        """Of its public half (RFC 7638): what it is recognised by, whatever it is called."""
        return _public(self.private, next(one for one in Algorithm if fits(one, self.private)), None).thumbprint()

    def public(self, algorithm: Algorithm, kid: str | None) -> PublicJwk:
        """Its public half.

        Args:
            algorithm: what it is used with from now on.
            kid: what it is called; None: its thumbprint.

        Raises:
            InvalidImport: the key is not for this algorithm, or too weak, or the `kid` can't be one.
        """
        return _public(self.private, algorithm, kid)


def read_private_key(text: str | Mapping[str, Any]) -> ForeignKey:
    """Reads a private key: PEM, a JWK (as JSON or decoded), or base64 of its DER, as Keycloak's exports have it.

    Raises:
        InvalidImport: it is none, is encrypted, or is of a kind, size or curve that is not supported.
    """
    problem = f"this is no private key in a form that can be read: give {_FORMS}"
    try:
        key = _read(text)
        algorithms = [key.algorithm] if key.algorithm is not None else [one for one in Algorithm if fits(one, key.private)]
        _public(key.private, algorithms[0], key.kid)
    except InvalidImport as error:
        problem = str(error)
    except _Encrypted:
        problem = "this private key is encrypted; decrypt it on the machine where it is, as with `openssl pkey`, and pipe it in"
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, UnsupportedAlgorithm):
        pass
    else:
        return key
    raise InvalidImport(problem)  # outside of `except`, whose error has the key in the variables of its traceback


class _Encrypted(Exception):
    """It needs a password."""


def _read(text: str | Mapping[str, Any]) -> ForeignKey:
    if isinstance(text, Mapping):
        return _from_jwk(text)
    _short(text)
    stripped = text.strip()
    if stripped.startswith("{"):
        document = json.loads(stripped)
        keys = document.get("keys")
        return _from_jwk(keys[0] if isinstance(keys, list) and len(keys) == 1 and isinstance(keys[0], dict) else document)
    if "-----BEGIN" in stripped:
        pem = stripped.encode("ascii")
        return _plain(lambda unchecked: load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=unchecked))
    try:
        der = base64.b64decode("".join(stripped.split()), validate=True)
    except binascii.Error:
        raise ValueError from None
    return _plain(lambda unchecked: load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=unchecked))


def _short(text: str) -> None:
    if len(text) > _MAX_CHARACTERS:
        raise InvalidImport(f"a private key has at most {_MAX_CHARACTERS} characters here, not {len(text)}")


def _plain(load: Callable[[bool], object]) -> ForeignKey:
    """What `load` returns, which is told whether to leave the check of an RSA key out."""
    try:
        key = load(True)
        if isinstance(key, rsa.RSAPrivateKey):  # its check takes long if it is large, so that comes after its size
            _usual(key.key_size)
            key = load(False)
    except TypeError:  # cryptography's: a password was not given
        raise _Encrypted from None
    if not isinstance(key, PrivateKey):
        raise InvalidImport("this private key is not RSA, EC or Ed25519, so nothing that is supported signs with it")
    found = [one for one in Algorithm if fits(one, key)]
    if not found:
        raise InvalidImport("this EC key is on another curve than P-256 and P-384, so nothing that is supported signs with it")
    return ForeignKey(key, algorithm=found[0] if len(found) == 1 else None)


def _from_jwk(data: Mapping[str, Any]) -> ForeignKey:
    """RFC 7518 section 6, RFC 8037 section 2. What it says of its public half is compared with its private one."""
    kty, alg = data.get("kty"), data.get("alg")
    if kty not in ("RSA", "EC", "OKP") or "d" not in data:
        raise InvalidImport(f"this JWK holds no private key of type RSA, EC or OKP; give {_FORMS}")
    for value in data.values():
        if isinstance(value, str):
            _short(value)
    try:
        public = PublicJwk.from_dict({name: value for name, value in data.items() if name not in PRIVATE_MEMBERS})
    except InvalidJwk as error:
        raise InvalidImport(f"this JWK can't be imported: {error}") from None
    private: PrivateKey
    if kty == "RSA":
        private = _rsa(data)
    elif kty == "EC":
        private = ec.derive_private_key(_uint(data, "d"), _CURVES[data["crv"]]())
    else:
        private = ed25519.Ed25519PrivateKey.from_private_bytes(base64url.decode(data["d"]))
    if private.public_key() != public.public_key():
        raise InvalidImport("the two halves of this JWK do not belong together")
    one = alg is not None or kty != "RSA"
    return ForeignKey(private, public.kid if data.get("kid") is not None else None, public.alg if one else None)


def _rsa(data: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    if "oth" in data:
        raise InvalidImport("this RSA key has more than two primes, which is not supported")
    given = {name: _uint(data, name) for name in ("n", "e", "d", "p", "q") if name in data}
    n, e, d = given["n"], given["e"], given["d"]
    _usual(n.bit_length())
    if max(number.bit_length() for number in given.values()) > n.bit_length():  # finding its primes raises to e * d
        raise InvalidImport("a number of this RSA key is larger than its modulus, so it is none")
    p, q = (given["p"], given["q"]) if {"p", "q"} <= set(given) else _primes(n, e, d)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, n)
    )
    return numbers.private_key()


def _primes(n: int, e: int, d: int) -> tuple[int, int]:
    """The primes of the modulus (NIST SP 800-56B appendix C), in bounded time whatever the numbers are, which `cryptography`'s is not."""
    multiple = e * d - 1  # of what every power of this modulus comes back to 1 with
    if multiple <= 0:
        raise ValueError
    twos = (multiple & -multiple).bit_length() - 1
    for base in _BASES:
        root = pow(base, multiple >> twos, n)
        for _ in range(twos):
            square = root * root % n
            if square == 1:
                break
            root = square
        if root not in {1, n - 1}:
            p = gcd(root - 1, n)
            if root * root % n != 1 or p * (n // p) != n:
                raise ValueError  # the numbers do not belong together
            return p, n // p
    raise ValueError


def _usual(bits: int) -> None:
    if bits not in _RSA_BITS:
        raise InvalidImport(f"a private RSA key has {', '.join(map(str, _RSA_BITS[:-1]))} or {_RSA_BITS[-1]} bits here, not {bits}")


def _uint(data: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(base64url.decode(data[name]), "big")


def _public(private: PrivateKey, algorithm: Algorithm, kid: str | None) -> PublicJwk:
    try:
        return PublicJwk.from_dict(PublicJwk.from_public_key(private.public_key(), algorithm, kid).to_dict())
    except InvalidJwk as error:
        raise InvalidImport(f"this private key can't be imported: {error}") from None
