"""The claims of a token that is to be signed (RFC 7519): what the service sets, and what it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from keyvault.errors import InvalidClaims
from keyvault.policy import Policy

MAX_BYTES = 16_384
_MAX_DEPTH = 32
_MAX_JTI = 256
_MAX_SECONDS = 1 << 53
_SIMPLE = frozenset({str, int, bool, type(None)})
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def complete(claims: object, *, issuer: str, policy: Policy, now: int, jti: str) -> tuple[bytes, int]:
    """The claims as JSON, with `iss`, `iat`, `exp` and `jti` set.

    Args:
        claims: what the caller wants to have signed. `iss` may only be the issuer; `exp` may shorten the lifetime, not exceed it;
            `iat` may be `clock_skew` away from now at most.
        issuer: of the tenant.
        policy: bounds the lifetime.
        now: epoch milliseconds.
        jti: the token's id, unless the claims have one.

    Returns:
        The JSON text (UTF-8), and when the token expires, in epoch milliseconds.

    Raises:
        InvalidClaims: names the claim.
    """
    if not isinstance(claims, Mapping) or not all(isinstance(name, str) for name in claims):
        raise InvalidClaims(None, "must be a JSON object")
    if "iss" in claims and claims["iss"] != issuer:
        raise InvalidClaims("iss", f"must be {issuer!r}, or left out")
    seconds = now // 1000
    whole = {**claims, "iss": issuer, "iat": _iat(claims, policy, seconds), "exp": _exp(claims, policy, seconds)}
    if "nbf" in claims and _number(claims, "nbf") >= whole["exp"]:
        raise InvalidClaims("nbf", "must be before 'exp'")
    whole["jti"] = claims.get("jti", jti)
    if not isinstance(whole["jti"], str) or not 0 < len(whole["jti"]) <= _MAX_JTI:
        raise InvalidClaims("jti", f"must be a string of 1 to {_MAX_JTI} characters")
    if not isinstance(whole.get("sub", ""), str):
        raise InvalidClaims("sub", "must be a string")
    audience = whole.get("aud", "")
    if not all(isinstance(one, str) for one in (audience if isinstance(audience, list) else [audience])):
        raise InvalidClaims("aud", "must be a string or an array of strings")
    return _encode(whole), whole["exp"] * 1000


def _iat(claims: Mapping[str, Any], policy: Policy, now: int) -> int:
    if "iat" not in claims:
        return now
    iat = _number(claims, "iat")
    if abs(iat - now) * 1000 > policy.clock_skew:
        raise InvalidClaims("iat", "must be now, or left out; compare the clocks")
    return min(math.floor(iat), now)  # one in the future would be refused by strict clients


def _exp(claims: Mapping[str, Any], policy: Policy, now: int) -> int:
    longest = policy.max_token_lifetime // 1000
    if "exp" not in claims:
        return now + longest
    exp = math.floor(_number(claims, "exp"))
    if exp <= now:
        raise InvalidClaims("exp", "must be in the future")
    if exp > now + longest:
        raise InvalidClaims("exp", f"must be at most {longest} seconds from now (the policy's max_token_lifetime), or left out")
    return exp


def _number(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 section 2): seconds since the epoch."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_SECONDS:
        raise InvalidClaims(name, "must be a number of seconds since 1970")
    return value


def _encode(claims: Mapping[str, Any]) -> bytes:
    if all(type(value) in _SIMPLE or _is_plain(value, _MAX_DEPTH) for value in claims.values()):
        try:
            encoded = msgspec.json.encode(claims)
        except (ValueError, OverflowError):
            pass
        else:
            if len(encoded) < MAX_BYTES:
                return encoded
    return _encode_exactly(claims)


def _is_plain(value: object, depth: int) -> bool:
    """Whether it is JSON, as msgspec writes it: that takes more for JSON than it is, and writes NaN as null."""
    if type(value) in _SIMPLE:
        return True
    if type(value) is float:
        return math.isfinite(value)
    if depth == 1:
        return False
    if type(value) is list:
        return all(_is_plain(inner, depth - 1) for inner in value)
    return type(value) is dict and all(type(name) is str and _is_plain(inner, depth - 1) for name, inner in value.items())


def _encode_exactly(claims: Mapping[str, Any]) -> bytes:
    """Claim by claim, which takes several times as long, and knows numbers of any size, and the name of what can't be written."""
    size = 0
    parts = []
    for name, value in claims.items():
        _check_depth(name, value, _MAX_DEPTH)
        try:
            # Each by itself, so that the message can name the one that can't be written: NaN, a lone surrogate, no JSON value at all.
            part = f"{_JSON.encode(name)}:{_JSON.encode(value)}".encode()
        except (ValueError, TypeError) as error:  # UnicodeEncodeError is a ValueError
            raise InvalidClaims(name, f"can't be written as JSON: {type(error).__name__}") from error
        parts.append(part)
        size += len(part) + 1
        if size >= MAX_BYTES:
            raise InvalidClaims(name, f"makes the claims longer than {MAX_BYTES} bytes")
    return b"{" + b",".join(parts) + b"}"


def _check_depth(name: str, value: object, depth: int) -> None:
    if depth == 0:
        raise InvalidClaims(name, f"is nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _check_depth(name, inner, depth - 1)
