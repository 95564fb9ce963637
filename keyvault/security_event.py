"""Security Event Tokens about a tenant's keys (RFC 8417): what happened to a key, told to one relying party.

`docs/notices.md` tells relying parties what each event means. All times inside a token are seconds since 1970 (RFC 7519 section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, assert_never

import msgspec

from keyvault import jws
from keyvault.errors import NoActiveKey
from keyvault.key import Key
from keyvault.key_store import KeyName, KeyStore
from keyvault.readiness import safe_at
from keyvault.ring import Ring
from streams.scope import TenantScope

MEDIA_TYPE: Final = "application/secevent+jwt"
_TYP: Final = "secevent+jwt"


class SecurityEventType(StrEnum):
    """What happened, by the URI that names it in the claim `events`."""

    KEY_PREPARED = "https://tenantry.dev/security-events/key-prepared"
    """A key was published that will sign later."""
    KEY_ACTIVATED = "https://tenantry.dev/security-events/key-activated"
    """A key signs now."""
    KEY_DEACTIVATED = "https://tenantry.dev/security-events/key-deactivated"
    """A key signs no more; its tokens are good until they expire."""
    KEY_IMPORTED = "https://tenantry.dev/security-events/key-imported"
    """A key that was made elsewhere was published; it does not sign here."""
    KEY_COMPROMISED = "https://tenantry.dev/security-events/key-compromised"
    """A key is not to be trusted any more, and neither is any token that it signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """An event, addressed to a relying party.

    Attributes:
        kid: of the key that it is about.
        at: when it happened, epoch milliseconds.
        jti: names the token; the same whenever the same is told again.
        audience: the relying party.
    """

    type: SecurityEventType
    kid: str
    at: int
    jti: str
    audience: str


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """A Security Event Token.

    Attributes:
        token: the compact JWS; not shown by `repr`.
        kid: of the key that signed it.
    """

    token: str = field(repr=False)
    kid: str


def claims(event: SecurityEvent, ring: Ring, *, issuer: str, now: int) -> dict[str, Any]:
    """The claims of the token (RFC 8417 section 2.2).

    There is no `exp` and no `sub` (sections 2.2 and 4.6): what happened does not expire, and nobody can take it for an access token.

    Args:
        event: what is told.
        ring: the tenant's ring now, which has the key's times.
        issuer: of the tenant.
        now: epoch milliseconds.

    Raises:
        UnknownKid: the ring has no such key.
    """
    return {
        "iss": issuer,
        "iat": now // 1000,
        "jti": event.jti,
        "aud": event.audience,
        "toe": event.at // 1000,
        "events": {event.type.value: {"kid": event.kid, **_times(event.type, ring.find(event.kid), ring)}},
    }


async def sign_security_event(
    store: KeyStore, scope: TenantScope, ring: Ring, event: SecurityEvent, *, issuer: str, now: int
) -> SignedEvent:
    """The event as a token, signed by the ring's active key. See `claims`.

    Raises:
        NoActiveKey: the ring has no active key now.
        UnknownKid: the ring has no key that the event could be about.
        KeyStoreUnavailable: the key store can't sign now.
        KeyNotFound: it has lost the active key.
    """
    key = ring.active
    if key is None:
        raise NoActiveKey
    payload = msgspec.json.encode(claims(event, ring, issuer=issuer, now=now))
    text = jws.signing_input(key.algorithm, key.kid, payload, typ=_TYP)
    [signature] = await store.sign(KeyName.of(scope, key), [text])
    return SignedEvent(jws.compact(text, signature), key.kid)


def _times(kind: SecurityEventType, key: Key, ring: Ring) -> dict[str, int]:
    """What somebody who keeps a JWKS wants to know, in seconds: reasons, and who did it, are the tenant's own affair."""
    times: dict[str, int | None]
    match kind:
        case SecurityEventType.KEY_PREPARED:
            times = {"published_at": key.published_at, "ready_at": safe_at(ring, ring.policy, key)}
        case SecurityEventType.KEY_ACTIVATED:
            times = {"activated_at": key.activated_at}
        case SecurityEventType.KEY_DEACTIVATED:
            times = {"deactivated_at": key.deactivated_at, "publish_until": key.publish_until}
        case SecurityEventType.KEY_IMPORTED:
            times = {"published_at": key.published_at, "publish_until": key.publish_until}
        case SecurityEventType.KEY_COMPROMISED:
            times = {"compromised_at": key.compromised_at}
        case _:
            assert_never(kind)
    return {name: time // 1000 for name, time in times.items() if time is not None}
