"""JWK sets: what relying parties fetch (RFC 7517 section 5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from keyvault import base64url
from keyvault.errors import InvalidJwk, InvalidJwks, UnsupportedJwk
from keyvault.jwk import PublicJwk

MAX_BYTES = 1_000_000  # of a foreign JWKS: Keycloak's with certificates have some 10 KB


@dataclass(frozen=True, slots=True)
class Jwks:
    """A JWK set, encoded once.

    Attributes:
        keys: in the order of publication.
        body: the JSON text as served (UTF-8): the same keys in the same order always have the same bytes.
        etag: a strong entity tag of the body (RFC 9110 section 8.8.3), with its quotes.
    """

    keys: tuple[PublicJwk, ...]
    body: bytes = field(repr=False)
    etag: str
    _by_kid: Mapping[str, PublicJwk] = field(repr=False, compare=False)

    @classmethod
    def of(cls, keys: Iterable[PublicJwk]) -> Self:
        """The set of these keys.

        Raises:
            InvalidJwks: two of them have the same `kid`, so a verifier could not tell them apart.
        """
        ordered = tuple(keys)
        by_kid = {key.kid: key for key in ordered}
        if len(by_kid) != len(ordered):
            raise InvalidJwks("two keys of this JWK set have the same kid")
        body = msgspec.json.encode({"keys": ordered})
        return cls(ordered, body, f'"{base64url.encode(hashlib.sha256(body).digest()[:18])}"', by_kid)

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Reads a JWK set of any origin, as text or decoded.

        Keys for encryption and of unsupported types, curves or algorithms are skipped (RFC 7517 section 5: they SHOULD be ignored).

        Raises:
            InvalidJwks: it is no JWK set, or a supported key in it is malformed; says which.
        """
        if not isinstance(document, Mapping):
            document = decode(document)
        members = document.get("keys")
        if not isinstance(members, list):
            raise InvalidJwks("a JWK set is an object with the member 'keys', an array")
        keys = []
        for index, member in enumerate(members):
            if not isinstance(member, Mapping):
                raise InvalidJwks(f"keys[{index}] is not an object")
            try:
                keys.append(PublicJwk.from_dict(member))
            except UnsupportedJwk:
                continue
            except InvalidJwk as error:
                raise InvalidJwks(f"keys[{index}] (kid {member.get('kid')!r}): {error}") from error
        return cls.of(keys)

    def find(self, kid: str) -> PublicJwk | None:
        """The key with this `kid`, or None."""
        return self._by_kid.get(kid)


def decode(text: bytes | str) -> Mapping[str, Any]:
    """The JSON object of a foreign document.

    Raises:
        InvalidJwks: it is none, or too large.
    """
    if len(text) > MAX_BYTES:
        raise InvalidJwks(f"a JWK set has at most {MAX_BYTES} bytes here, not {len(text)}")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidJwks(f"this is not JSON: {error}") from error
    if not isinstance(document, Mapping):
        raise InvalidJwks("a JWK set is an object with the member 'keys', an array")
    return document
