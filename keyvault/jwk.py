"""The public half of a key as a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyvault import base64url
from keyvault.algorithms import Algorithm, PublicKey, fits
from keyvault.errors import InvalidJwk, UnsupportedJwk

_CURVES: dict[str, tuple[Algorithm, type[ec.EllipticCurve], int]] = {
    "P-256": (Algorithm.ES256, ec.SECP256R1, 32),
    "P-384": (Algorithm.ES384, ec.SECP384R1, 48),
}
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""What only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1)."""
_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192  # RFC 7518 section 3.3; the upper end keeps a foreign key from costing seconds
_MAX_KID = 256


class PublicJwk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A public signing key, as it is published and as key events carry it.

    Attributes:
        kty: `RSA`, `EC` or `OKP`.
        kid: the RFC 7638 thumbprint, for a key made here.
        alg: the one algorithm it is used with.
        use: always `sig`.
        n: RSA modulus, base64urlUInt, like `e`, the exponent.
        crv: `P-256`, `P-384` or `Ed25519`, with the coordinates `x` and (EC only) `y`.
    """

    kty: Literal["RSA", "EC", "OKP"]
    kid: str
    alg: Algorithm
    use: Literal["sig"]
    n: str | None = None
    e: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None

    @classmethod
    def from_public_key(cls, key: PublicKey, algorithm: Algorithm, kid: str | None = None) -> Self:
        """The JWK of a public key, named by its thumbprint unless it has a `kid` already.

        Raises:
            InvalidJwk: the key does not fit the algorithm.
        """
        if not fits(algorithm, key):
            raise InvalidJwk(f"this key is not for {algorithm}")
        members: dict[str, str]
        if isinstance(key, rsa.RSAPublicKey):
            numbers = key.public_numbers()
            members = {"kty": "RSA", "n": _uint(numbers.n), "e": _uint(numbers.e)}
        elif isinstance(key, ec.EllipticCurvePublicKey):
            crv, size = next((name, size) for name, (alg, _, size) in _CURVES.items() if alg is algorithm)
            point = key.public_numbers()
            x, y = (base64url.encode(value.to_bytes(size, "big")) for value in (point.x, point.y))
            members = {"kty": "EC", "crv": crv, "x": x, "y": y}
        else:
            members = {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
        named = {**members, "kid": kid or _thumbprint(members), "alg": algorithm, "use": "sig"}
        return msgspec.convert(named, cls)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Reads a JWK of any origin; members that are not needed (`x5c`, `x5t`, `key_ops`, …) are left out.

        Without `alg` it is the only one of its curve, or RS256 for RSA. Without `kid` it is named by its thumbprint.

        Raises:
            UnsupportedJwk: it is for encryption, or of a type, curve or algorithm that is not supported.
            InvalidJwk: it is malformed, too weak, or holds a private key.
        """
        kty = data.get("kty")
        if not isinstance(kty, str):
            raise InvalidJwk("a JWK needs the member 'kty'")
        if data.get("use", "sig") != "sig":
            raise UnsupportedJwk(f"its use is {data['use']!r}, not 'sig'")
        key, implied = _read_key(kty, data)
        alg = data.get("alg", implied)
        if not isinstance(alg, str) or alg not in set(Algorithm):
            raise UnsupportedJwk(f"algorithm {alg!r} is not supported; supported are {', '.join(Algorithm)}")
        kid = data.get("kid")
        if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _MAX_KID and kid.isprintable()):
            raise InvalidJwk(f"'kid' must be a string of 1 to {_MAX_KID} printable characters")
        return cls.from_public_key(key, Algorithm(alg), kid)

    def to_dict(self) -> dict[str, str]:
        """Its members, without those that it does not have."""
        return {name: str(value) for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}

    def public_key(self) -> PublicKey:
        """The key itself, to verify with.

        Raises:
            InvalidJwk: it is malformed (one that `from_dict` returned never is).
        """
        return _public_key(self)

    def to_pem(self) -> str:
        """The key as PEM (SubjectPublicKeyInfo, RFC 5280 section 4.1)."""
        return self.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def thumbprint(self) -> str:
        """Its SHA-256 thumbprint (RFC 7638; RFC 8037 section 2 for OKP), base64url."""
        return _thumbprint(self.to_dict())


def _thumbprint(members: Mapping[str, str]) -> str:
    required = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[members["kty"]]
    canonical = json.dumps({name: members[name] for name in required}, separators=(",", ":"))  # in lexicographic order already
    return base64url.encode(hashlib.sha256(canonical.encode("ascii")).digest())


@lru_cache(maxsize=4096)
def _public_key(jwk: PublicJwk) -> PublicKey:
    key, _ = _read_key(jwk.kty, jwk.to_dict())
    return key


def _read_key(kty: str, data: Mapping[str, Any]) -> tuple[PublicKey, Algorithm]:
    """The key, and the algorithm it is for when nothing else is said."""
    if kty not in {"RSA", "EC", "OKP"}:
        raise UnsupportedJwk(f"key type {kty!r} is not supported; supported are RSA, EC and OKP")
    if private := [name for name in PRIVATE_MEMBERS if name in data]:
        raise InvalidJwk(
            f"it holds a private key (member {private[0]!r}), which belongs nowhere but into a key store: consider it compromised"
        )
    try:
        if kty == "RSA":
            return _read_rsa(data), Algorithm.RS256
        crv = data.get("crv")
        if kty == "EC":
            if not isinstance(crv, str) or crv not in _CURVES:
                raise UnsupportedJwk(f"curve {crv!r} is not supported; supported are {', '.join(_CURVES)}")
            algorithm, curve, size = _CURVES[crv]
            x, y = (int.from_bytes(_octets(data, name, size), "big") for name in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, curve()).public_key(), algorithm
        if crv != "Ed25519":
            raise UnsupportedJwk(f"curve {crv!r} is not supported; supported is Ed25519")
        return ed25519.Ed25519PublicKey.from_public_bytes(_octets(data, "x", 32)), Algorithm.EDDSA
    except (ValueError, UnsupportedAlgorithm) as error:  # cryptography's: the point is not on the curve, and the like
        raise InvalidJwk(f"this is no {kty} public key: {error}") from error


def _read_rsa(data: Mapping[str, Any]) -> rsa.RSAPublicKey:
    n, e = (int.from_bytes(_octets(data, name), "big") for name in ("n", "e"))
    if not _MIN_RSA_BITS <= n.bit_length() <= _MAX_RSA_BITS:
        raise InvalidJwk(f"an RSA key has {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits here, not {n.bit_length()}")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _octets(data: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    value = data.get(name)
    if not isinstance(value, str):
        raise InvalidJwk(f"a {data.get('kty')} key needs the member {name!r}, a string")
    try:
        octets = base64url.decode(value)
    except ValueError as error:
        raise InvalidJwk(f"member {name!r} is {error}") from error
    if size is not None and len(octets) != size:
        raise InvalidJwk(f"member {name!r} must have {size} octets, not {len(octets)}")
    return octets


def _uint(value: int) -> str:
    """Base64urlUInt (RFC 7518 section 2): the fewest octets."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
