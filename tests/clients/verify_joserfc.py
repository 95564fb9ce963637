"""A relying party on joserfc: `verify_joserfc.py URL ISSUER AUDIENCE`.

The library fetches nothing by itself. Its documentation proposes a callable key that keeps the key set; this one keeps it for as long
as the answer's `Cache-Control` says, and fetches when a token names a `kid` that it does not have.
"""

from __future__ import annotations

import re
import sys
import time

import httpx
from joserfc import jwt
from joserfc.jwk import GuestProtocol, KeySet

from tests.clients.lines import serve


class RemoteKeys:
    """A callable key."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys = KeySet([])
        self._until = 0.0

    def __call__(self, token: GuestProtocol) -> KeySet:
        """The keys that may have signed the token."""
        if time.monotonic() >= self._until or token.headers().get("kid") not in {key.kid for key in self._keys.keys}:
            asked_at = time.monotonic()
            answer = httpx.get(self._url).raise_for_status()
            self._keys = KeySet.import_key_set(answer.json())
            found = re.search(r"max-age=(\d+)", answer.headers.get("cache-control", ""))
            self._until = asked_at + (int(found[1]) if found else 0)
        return self._keys


def main(url: str, issuer: str, audience: str) -> None:
    """Verifies signature, issuer, audience and expiry."""
    keys = RemoteKeys(url)
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience}, exp={"essential": True}
    )
    serve(lambda token: claims.validate(jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims))


if __name__ == "__main__":
    main(*sys.argv[1:])
