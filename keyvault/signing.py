"""Claims in, tokens out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from keyvault import claims as claim_rules
from keyvault import jws
from keyvault.errors import InvalidClaims, NoActiveKey
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
        claims: that were asked for: its `sub` and whom it is for, without what the service has set. Personal, so not shown either.
    """

    token: str = field(repr=False)
    kid: str
    expires_at: int
    claims: Mapping[str, Any] = field(repr=False)


def new_jti() -> str:
    """A token id: 128 random bits."""
    return secrets.token_urlsafe(16)


async def sign_token(
    store: KeyStore, scope: TenantScope, ring: Ring, claims: object, *, issuer: str, now: int, jti: Callable[[], str] = new_jti
) -> str:
    """One token, the compact JWS. See `sign_tokens`."""
    [signed] = await sign_tokens(store, scope, ring, [claims], issuer=issuer, now=now, jti=jti)
    return signed.token


async def sign_tokens(
    store: KeyStore, scope: TenantScope, ring: Ring, claims: Sequence[object], *, issuer: str, now: int, jti: Callable[[], str] = new_jti
) -> list[SignedToken]:
    """A token for each of these claims, in their order, signed by the ring's active key with one call to the key store.

    Args:
        store: holds the key.
        scope: whose ring it is.
        ring: the current one.
        claims: objects; what is set and what is refused says `keyvault.claims.complete`.
        issuer: of the tenant.
        now: epoch milliseconds.
        jti: makes the id of a token whose claims have none.

    Raises:
        InvalidClaims: names the claim and, among several, whose it is; nothing was signed.
        NoActiveKey: the ring has no active key now.
        KeyStoreUnavailable: the key store can't sign now.
        KeyNotFound: it has lost the active key; report it as compromised, so that another one signs.
    """
    completed = []
    for index, one in enumerate(claims):
        try:
            completed.append(claim_rules.complete(one, issuer=issuer, policy=ring.policy, now=now, jti=jti()))
        except InvalidClaims as error:
            raise InvalidClaims(error.claim, error.problem, index=index if len(claims) > 1 else None) from error
    key = ring.active
    if key is None:
        raise NoActiveKey
    inputs = [jws.signing_input(key.algorithm, key.kid, payload) for payload, _ in completed]
    signatures = await store.sign(KeyName.of(scope, key), inputs)
    return [
        SignedToken(jws.compact(text, signature), key.kid, expires_at, cast("Mapping[str, Any]", asked))
        for text, signature, (_, expires_at), asked in zip(inputs, signatures, completed, claims, strict=True)
    ]
