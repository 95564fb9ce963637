"""Routes of what a key has signed, and of who is affected if it is bad."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from keyvault.blast_radius import BlastRadius, Exposure, blast_radius
from keyvault.blast_radius_words import summary
from keyvault.durations import render_duration
from keyvault.ring import Ring
from keyvault.usage import Usage
from services.access.scopes import Scope
from services.api.edge import ThePlatform, needs
from services.platform import Platform
from services.usage.keeping import PERIOD_SECONDS
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["keys"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]
_LACKS: Final = (
    f"at least: what other nodes have signed in the last {PERIOD_SECONDS // 60} minutes may be missing, and what a node had not written "
    "down when it was killed"
)


@router.get("/v1/tenants/{tenant}/keys/{kid:path}/usage", summary="Says what a key has signed: how many tokens, for whom, until when")
async def get_usage(kid: str, scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """On all nodes, since it is active. The count can lack what `counted` says; it is never too high.

    Clients are those that `client_id` or `azp` named, most tokens first, up to 200 of them. Of subjects only about how many there were is
    kept. The notes that this sums up are events of the tenant's own log (`event.action:key_usage`), one for each key and period.
    """
    running.rings.of(scope.tenant).find(kid)
    return {"kid": kid, **_usage(await running.usage.of(scope, kid))}


@router.get("/v1/tenants/{tenant}/keys/{kid:path}/blast-radius", summary="Says who is affected if a key is bad")
async def get_blast_radius(kid: str, scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """Before it is reported as compromised, what that would come to now; after it, what it came to.

    Relying parties are the registered ones: until when each may accept the key's tokens by how it keeps a JWKS, why, for how long it may
    refuse good tokens of the key that takes over, and what to do. `usage` is null when the search index does not answer within two seconds.
    """
    running.rings.of(scope.tenant).find(kid)
    return answer(await radius(running, scope, kid))


async def radius(running: Platform, scope: TenantScope, kid: str, ring: Ring | None = None) -> BlastRadius:
    """The blast radius of a key, with what is known of its usage within two seconds.

    Args:
        running: the platform.
        scope: the tenant.
        kid: of the key.
        ring: the ring to judge by; by default the current one.
    """
    usage = await running.usage.soon(scope, kid)
    return blast_radius(ring if ring is not None else running.rings.of(scope.tenant), kid, usage, running.now())


def answer(found: BlastRadius) -> dict[str, Any]:
    """The blast radius as the API has it."""
    key = found.key
    return {
        "kid": key.kid,
        "state": key.state.value,
        "summary": summary(found),
        "left_jwks_at": iso(found.left_at),
        "takes_over_at": _iso(found.takes_over_at),
        "latest_expiry": _iso(found.latest_expiry),
        "accepted_until": _iso(found.accepted_until),
        "usage": _usage(found.usage) if found.usage is not None else None,
        "relying_parties": [_exposure(one) for one in found.exposures],
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "counted": _LACKS,
        "signatures": usage.signatures,
        "subjects": usage.subjects.estimate(),
        "clients": [{"id": name, "signatures": count} for name, count in usage.clients.most_common()],
        "other_clients": usage.other_clients,
        "without_client": usage.without_client,
        "first_signed_at": _iso(usage.first_at),
        "last_signed_at": _iso(usage.last_at),
        "last_expiry": _iso(usage.last_expiry),
    }


def _exposure(one: Exposure) -> dict[str, Any]:
    party = one.relying_party
    return {
        "id": party.id,
        "name": party.name,
        "contact": party.contact,
        "accepts": one.accepts.value,
        "accepts_until": _iso(one.until),
        "because": one.because,
        "refuses_for": render_duration(one.refuses_for) if one.refuses_for is not None else None,
        "refuses": one.refuses,
        "advice": one.advice,
    }


def _iso(milliseconds: int | None) -> str | None:
    return iso(milliseconds) if milliseconds is not None else None
