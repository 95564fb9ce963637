"""A relying party on PyJWT: `verify_pyjwt.py URL ISSUER AUDIENCE [COOLDOWN]`; without a cooldown (seconds) it has the library's own."""

from __future__ import annotations

import sys

import jwt

from tests.clients.lines import serve


def main(url: str, issuer: str, audience: str, *cooldown: str) -> None:
    """Keeps the JWKS as `PyJWKClient` does."""
    keys = jwt.PyJWKClient(url, cooldown_duration=float(cooldown[0])) if cooldown else jwt.PyJWKClient(url)

    def verify(token: str) -> None:
        key = keys.get_signing_key_from_jwt(token)
        jwt.decode(token, key, algorithms=["RS256", "ES256"], audience=audience, issuer=issuer, options={"require": ["exp"]})

    serve(verify)


if __name__ == "__main__":
    main(*sys.argv[1:])
