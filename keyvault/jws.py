"""Tokens: compact JWS with a JSON payload (RFC 7515 section 7.1, RFC 7519, RFC 8725)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from keyvault import algorithms, base64url
from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidToken, TokenProblem
from keyvault.jwks import Jwks

MAX_CHARS = 65_536  # of a token that is verified: more than twice what is signed here
_MAX_SECONDS = 1 << 53  # beyond it, JSON numbers are not exact (RFC 8259 section 6); this also keeps out NaN and infinity


def signing_input(algorithm: Algorithm, kid: str, payload: bytes, *, typ: str = "JWT") -> bytes:
    """What is signed (RFC 7515 section 5.1): the header `alg`, `kid`, `typ` and the payload, JSON as UTF-8."""
    return f"{_header(algorithm, kid, typ)}.{base64url.encode(payload)}".encode("ascii")


@lru_cache(maxsize=4096)  # a key signs many tokens
def _header(algorithm: Algorithm, kid: str, typ: str) -> str:
    return base64url.encode(msgspec.json.encode({"alg": algorithm, "kid": kid, "typ": typ}))


def compact(signed: bytes, signature: bytes) -> str:
    """The token: a signing input and its signature."""
    return f"{signed.decode('ascii')}.{base64url.encode(signature)}"


def encode(claims: Mapping[str, Any], algorithm: Algorithm, kid: str, sign: Callable[[bytes], bytes]) -> str:
    """The claims as a token, signed by `sign`, which maps a signing input to its JWS signature. Nothing is checked or added."""
    signed = signing_input(algorithm, kid, msgspec.json.encode(claims))
    return compact(signed, sign(signed))


def verify(
    token: str,
    jwks: Jwks,
    *,
    now: int,
    issuer: str | None = None,
    audience: str | None = None,
    leeway: int = 0,
) -> dict[str, Any]:
    """The claims of a token, if one of the keys signed it and it is valid now.

    Args:
        token: the compact JWS. Its header must name a key of the set (`kid`) and that key's own algorithm.
        jwks: the keys to trust.
        now: epoch milliseconds; like `leeway`, the milliseconds by which clocks may differ.
        issuer: what `iss` must be, or None to accept any.
        audience: what `aud` must be or contain, or None to accept any.
        leeway: see `now`.

    Raises:
        InvalidToken: it does not verify; `problem` says why. A token without `exp` is refused, too: it would be valid for ever.
    """
    if len(token) > MAX_CHARS or token.count(".") != 2:
        raise InvalidToken(TokenProblem.MALFORMED, f"a token has three parts and at most {MAX_CHARS} characters")
    encoded_header, encoded_payload, encoded_signature = token.split(".")
    header = _parse(_octets(encoded_header, "header"), "header")
    if "crit" in header:  # RFC 7515 section 4.1.11: no extension is understood here
        raise InvalidToken(TokenProblem.CRITICAL, "the header has critical extensions, of which none is supported")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken(TokenProblem.KID_MISSING, "the header does not name a key with 'kid'")
    jwk = jwks.find(kid)
    if jwk is None:
        raise InvalidToken(TokenProblem.KID_UNKNOWN, f"no key of the JWK set has kid {kid[:256]!r}")
    if header.get("alg") != jwk.alg.value:  # so there is no `none`, no HMAC, and no other algorithm (RFC 8725 section 3.1)
        raise InvalidToken(TokenProblem.ALGORITHM, f"the header's 'alg' is not {jwk.alg}, the algorithm of key {jwk.kid!r}")
    signature, payload = _octets(encoded_signature, "signature"), _octets(encoded_payload, "payload")
    if not algorithms.verify(jwk.alg, jwk.public_key(), f"{encoded_header}.{encoded_payload}".encode("ascii"), signature):
        raise InvalidToken(TokenProblem.SIGNATURE, f"the signature is not one of key {jwk.kid!r}")
    claims = _parse(payload, "payload")
    _check_times(claims, now / 1000, leeway / 1000)
    if issuer is not None and claims.get("iss") != issuer:
        raise InvalidToken(TokenProblem.ISSUER, f"the issuer is not {issuer!r}")
    if audience is not None:
        aud = claims.get("aud")
        if audience not in (aud if isinstance(aud, list) else [aud]):
            raise InvalidToken(TokenProblem.AUDIENCE, f"the audience does not contain {audience!r}")
    return claims


def _check_times(claims: Mapping[str, Any], now: float, leeway: float) -> None:
    """RFC 7519 sections 4.1.4 to 4.1.6; all in seconds."""
    exp, nbf, iat = (_numeric_date(claims, name) for name in ("exp", "nbf", "iat"))
    if exp is None:
        raise InvalidToken(TokenProblem.CLAIMS, "the token has no 'exp'")
    if now >= exp + leeway:
        raise InvalidToken(TokenProblem.EXPIRED, "the token has expired")
    if nbf is not None and now < nbf - leeway:
        raise InvalidToken(TokenProblem.NOT_YET_VALID, "the token is not valid yet")
    if iat is not None and now < iat - leeway:
        raise InvalidToken(TokenProblem.ISSUED_IN_FUTURE, "the token was issued in the future: compare the clocks")


def _numeric_date(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MAX_SECONDS <= value <= _MAX_SECONDS:
        raise InvalidToken(TokenProblem.CLAIMS, f"{name!r} is not a number of seconds that a clock can show")
    return value


def _octets(part: str, what: str) -> bytes:
    try:
        return base64url.decode(part)
    except ValueError as error:
        raise InvalidToken(TokenProblem.MALFORMED, f"the {what} is {error}") from error


def _parse(octets: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(TokenProblem.MALFORMED, f"the {what} is not JSON as RFC 7515 wants it") from error
    if not isinstance(value, dict):
        raise InvalidToken(TokenProblem.MALFORMED, f"the {what} is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses duplicate names, which two parsers may read differently (RFC 7515 section 4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member names")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
