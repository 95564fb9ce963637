"""The public keys of somebody else's JWK set, one by one: which can be published here, and why the others can't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keyvault.errors import InvalidImport, InvalidJwk, InvalidJwks
from keyvault.jwk import PRIVATE_MEMBERS, PublicJwk
from keyvault.jwks import decode

_MAX_KEYS: Final = 100
"""Of a document. Reading one takes a fraction of a millisecond, in which nothing else goes on."""
_MAX_KID: Final = 256
_MAX_REASON: Final = 200
"""Characters that are repeated of a document that may be anything."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A key that can't be published: for encryption, of an algorithm that is not supported, too weak, malformed."""

    kid: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ForeignJwks:
    """What a document holds: at least one key that can be published."""

    keys: tuple[PublicJwk, ...]
    skipped: tuple[Skipped, ...] = ()


def read_public_keys(document: bytes | str | Mapping[str, Any]) -> ForeignJwks:
    """Reads a JWK set, or a single JWK, as text or decoded.

    Raises:
        InvalidImport: it is neither, has more than 100 keys, holds a private or symmetric key, two keys of one `kid`, or none that
            can be published.
    """
    members = _members(document)
    for index, member in enumerate(members):
        if secret := [name for name in PRIVATE_MEMBERS if name in member]:
            raise InvalidImport(
                f"{_which(index, member)} holds a private key (member {secret[0]!r}), so nothing was imported; import the public half "
                "only, or the private key as such, and consider it compromised if others could read this document"
            )
    keys: dict[str, PublicJwk] = {}
    skipped: list[Skipped] = []
    for index, member in enumerate(members):
        try:
            jwk = PublicJwk.from_dict(member)
        except InvalidJwk as error:
            skipped.append(Skipped(_kid(member), str(error)[:_MAX_REASON]))
            continue
        if keys.setdefault(jwk.kid, jwk) != jwk:
            raise InvalidImport(f"{_which(index, member)} has the kid of another key of this document, so nobody can tell them apart")
    if not keys:
        found = "; ".join(f"{one.kid!r}: {one.reason}" for one in skipped) or "it is empty"
        raise InvalidImport(f"this JWK set has no key that verifies signatures of a supported algorithm ({found[:1000]})")
    return ForeignJwks(tuple(keys.values()), tuple(skipped))


def _members(document: bytes | str | Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if not isinstance(document, Mapping):
        try:
            document = decode(document)
        except InvalidJwks as error:
            raise InvalidImport(str(error)) from None
    members = [document] if "kty" in document else document.get("keys")
    if not isinstance(members, list) or not all(isinstance(member, Mapping) for member in members):
        raise InvalidImport("a JWK set is an object with the member 'keys', an array of objects (RFC 7517 section 5)")
    if len(members) > _MAX_KEYS:
        raise InvalidImport(f"this JWK set has {len(members)} keys; at most {_MAX_KEYS} keys are read at once")
    return members


def _which(index: int, member: Mapping[str, Any]) -> str:
    return f"keys[{index}] (kid {_kid(member)!r})"


def _kid(member: Mapping[str, Any]) -> str | None:
    kid = member.get("kid")
    return kid[:_MAX_KID] if isinstance(kid, str) else None
