"""Claims in, tokens out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from keyvault import claims as claim_rules
from keyvault import jws
from keyvault.errors import NoActiveKey
from keyvault.key_store import KeyName, KeyStore
from keyvault.ring import Ring
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token, with what is worth knowing of it.

    Attributes:
        token: the compact JWS; a secret, so not shown by `repr`.
        kid: of the key that signed it.
        expires_at: epoch milliseconds.
    """

    token: str = field(repr=False)
    kid: str
    expires_at: int


def new_jti() -> str:
    """A token id: 128 random bits."""
    return secrets.token_urlsafe(16)


class TokenSigner:
    """Signs the tokens of a tenant with the ring's active key."""

    def __init__(self, store: KeyStore, *, jti: Callable[[], str] = new_jti) -> None:
        self._store = store
        self._jti = jti

    async def sign(self, scope: TenantScope, ring: Ring, claims: object, *, issuer: str, now: int) -> SignedToken:
        """One token. See `sign_all`."""
        [token] = await self.sign_all(scope, ring, [claims], issuer=issuer, now=now)
        return token

    async def sign_all(self, scope: TenantScope, ring: Ring, claims: Sequence[object], *, issuer: str, now: int) -> Sequence[SignedToken]:
        """A token for each of these claims, in their order, with one call to the key store.

        Args:
            scope: whose ring it is.
            ring: the current one.
            claims: objects, see `keyvault.claims.complete`.
            issuer: of the tenant.
            now: epoch milliseconds.

        Raises:
            InvalidClaims: names the claim; nothing was signed.
            NoActiveKey: the ring has no active key now.
            KeyStoreUnavailable: the key store can't sign now.
            KeyNotFound: it has lost the active key; rotate.
        """
        completed = [claim_rules.complete(one, issuer=issuer, policy=ring.policy, now=now, jti=self._jti()) for one in claims]
        key = ring.active
        if key is None:
            raise NoActiveKey
        inputs = [jws.signing_input(key.algorithm, key.kid, payload) for payload, _ in completed]
        signatures = await self._store.sign(KeyName(scope, key.ordinal, key.algorithm), inputs)
        signed = zip(inputs, signatures, completed, strict=True)
        return [SignedToken(jws.compact(text, signature), key.kid, expires_at) for text, signature, (_, expires_at) in signed]
