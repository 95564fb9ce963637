"""Routes of a tenant's relying parties: who they are, whether they are ready for the next key, and whether they survive a rotation."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import ConfigDict, Field, StrictInt

from keyvault.caching import LIBRARIES, Caching
from keyvault.durations import SECOND, parse_duration, render_duration
from keyvault.errors import InvalidDuration, WrongState
from keyvault.key import KeyState
from keyvault.readiness import Readiness, readiness, safe_at
from keyvault.relying_party import RelyingParty
from keyvault.survival import check
from services.access.principal import Principal
from services.access.scopes import Scope
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.models import Strict
from services.errors import Invalid
from services.keys import relying_parties as commands
from services.outbound.target import origin
from services.platform import Platform
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["relying parties"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]
_PATH = "/v1/tenants/{tenant}/relying-parties"
_Library = Annotated[
    str | None, Field(max_length=50, description=f"By which it fetches the JWKS: {', '.join(LIBRARIES)}", examples=["spring"])
]
_CachedFor = Annotated[
    Annotated[str, Field(max_length=50)] | Annotated[StrictInt, Field(ge=0, le=315_360_000)] | None,
    Field(description="How long it keeps a JWKS, if not for what its library does; ISO 8601, or whole seconds", examples=["PT1H"]),
]


class RelyingPartyBody(Strict):
    """A relying party as it should be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Shop", "contact": "shop@example.com", "library": "spring", "own_url": True}]},
    )

    name: Annotated[str, Field(min_length=1, max_length=200, description="What people call it")]
    contact: Annotated[str | None, Field(min_length=1, max_length=320, description="Whom to ask when it breaks")] = None
    library: _Library = None
    cached_for: _CachedFor = None
    own_url: Annotated[bool, Field(description="Whether it fetches its JWKS from a URL of its own, so that its fetches are known")] = False
    webhook: Annotated[str | None, Field(max_length=2000, description="Where it is told of the tenant's keys (RFC 8935)")] = None


class CheckBody(Strict):
    """How a relying party keeps a JWKS; what is left out is as it is registered, or as its library does it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"library": "go-oidc"}, {"cached_for": "P2D", "refetches": False}]}
    )

    library: _Library = None
    cached_for: _CachedFor = None
    never_expires: Annotated[bool, Field(description="Whether what it fetched never expires")] = False
    refetches: Annotated[bool | None, Field(description="Whether it fetches when a token names a `kid` that it does not have")] = None
    cooldown: Annotated[str | None, Field(max_length=50, description="The least time between two such fetches; ISO 8601")] = None


@router.get(_PATH, summary="Lists the relying parties")
async def list_parties(scope: _Reader, running: ThePlatform, by: ThePrincipal) -> dict[str, Any]:
    """By id. A webhook's URL may hold a secret, so without `tenant:admin` only its origin is shown."""
    return {"relying_parties": [_answer(running, scope, party, by) for party in running.rings.of(scope.tenant).relying_parties]}


@router.get(_PATH + "/{rp}", summary="Shows a relying party")
async def get_party(rp: str, scope: _Reader, running: ThePlatform, by: ThePrincipal) -> dict[str, Any]:
    """Its settings, its webhook as in the list, and where it stands with the standby key, if there is one."""
    ring = running.rings.of(scope.tenant)
    party = commands.find(ring, rp)
    answer = _answer(running, scope, party, by)
    if ring.standby is not None:
        [stands] = [one for one in readiness(ring, ring.policy, ring.standby) if one.relying_party is party]
        answer["standby"] = {"kid": ring.standby.kid, **_stands(stands, running.now())}
    return answer


@router.put(_PATH + "/{rp}", summary="Registers a relying party, or changes it", responses={201: {"description": "It is new"}})
async def put_party(
    rp: str, scope: _Admin, body: RelyingPartyBody, running: ThePlatform, by: ThePrincipal, response: Response
) -> dict[str, Any]:
    """From then on rotations wait for it, as far as the policy's `readiness_limit` allows."""
    party = party_of(rp, body)
    if await commands.register(
        running.control, running.rings, running.outbound, scope, party, by.id, running.now(), before=commands.Seen.WHATEVER
    ):
        response.status_code = HTTPStatus.CREATED
    return _answer(running, scope, party, by)


@router.delete(_PATH + "/{rp}", status_code=HTTPStatus.NO_CONTENT, summary="Removes a relying party")
async def delete_party(rp: str, scope: _Admin, running: ThePlatform, by: ThePrincipal) -> None:
    """Its own URL answers 404, and no rotation waits for it."""
    await commands.remove(running.control, running.rings, scope, rp, by.id, running.now(), before=commands.Seen.WHATEVER)


@router.post(_PATH + "/{rp}/check", summary="Says whether a relying party survives a rotation and an emergency")
async def check_party(rp: str, scope: _Reader, body: CheckBody, running: ThePlatform) -> dict[str, Any]:
    """In plain words, for its developers; by this tenant's policy. Nothing is changed: settings can be tried before they are made."""
    ring = running.rings.of(scope.tenant)
    found = check(caching_of(commands.find(ring, rp), body), ring.policy)
    return {
        "survives_rotation": found.planned,
        "survives_emergency": found.emergency,
        "exposed_for": render_duration(found.exposed_for) if found.exposed_for is not None else None,
        "refused_for": render_duration(found.refused_for) if found.refused_for is not None else None,
        "findings": found.findings,
        "advice": found.advice,
    }


@router.get(
    "/v1/tenants/{tenant}/keys/{kid:path}/readiness",
    summary="Says which relying parties have a standby key, and when it is safe to activate",
    tags=["keys"],
)
async def get_readiness(kid: str, scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """Of each relying party: whether its own URL was asked since, and from when on it surely has the key. 409 if the key is no standby."""
    ring, now = running.rings.of(scope.tenant), running.now()
    key = ring.find(kid)
    if key.state is not KeyState.PRE_ACTIVATION:
        raise WrongState(kid, key.state, "waited for", "only a standby can; look at the tenant's keys for which one that is")
    safe = safe_at(ring, ring.policy, key)
    return {
        "kid": kid,
        "state": key.state.value,
        "published_at": iso(key.published_at),
        "safe_at": iso(safe),
        "safe": safe <= now,
        "relying_parties": [
            {"id": one.relying_party.id, "name": one.relying_party.name, "contact": one.relying_party.contact, **_stands(one, now)}
            for one in readiness(ring, ring.policy, key)
        ],
    }


def _answer(running: Platform, scope: TenantScope, party: RelyingParty, by: Principal) -> dict[str, Any]:
    webhook = party.webhook
    if webhook is not None and Scope.TENANT_ADMIN not in by.scopes:
        webhook = origin(webhook)
    return {
        "id": party.id,
        "name": party.name,
        "contact": party.contact,
        "library": party.library,
        "cached_for": render_duration(party.cached_for) if party.cached_for is not None else None,
        "own_url": party.own_url,
        "webhook": webhook,
        "jwks_uri": jwks_uri(running, scope, party),
    }


def _stands(one: Readiness, now: int) -> dict[str, Any]:
    return {
        "fetched_at": iso(one.fetched_at) if one.fetched_at is not None else None,
        "sure_at": iso(one.sure_at) if one.sure_at is not None else None,
        "ready": one.ready(now),
    }


def party_of(rp: str, body: RelyingPartyBody) -> RelyingParty:
    """The relying party that a body describes.

    Raises:
        Invalid: a duration in it is none.
    """
    return RelyingParty(
        id=rp,
        name=body.name,
        contact=body.contact,
        library=body.library,
        cached_for=_duration("cached_for", body.cached_for),
        own_url=body.own_url,
        webhook=body.webhook,
    )


def jwks_uri(running: Platform, scope: TenantScope, party: RelyingParty) -> str:
    """Where the relying party fetches its JWKS."""
    path = f"/rp/{party.id}" if party.own_url else ""
    return f"{running.settings.issuer_base}/t/{scope.tenant}{path}/jwks.json"


def caching_of(party: RelyingParty, body: CheckBody) -> Caching:
    """How a relying party keeps a JWKS by what a body says; what that leaves out is as it is registered, or as its library does it.

    Raises:
        Invalid: there is no such library, a duration is none, or nothing is known.
    """
    asked = RelyingParty(
        id=party.id,
        name=party.name,
        library=body.library if body.library is not None else party.library,
        cached_for=_duration("cached_for", body.cached_for)
        if body.cached_for is not None or body.library is not None
        else party.cached_for,
    )
    if asked.library is not None and asked.library not in LIBRARIES:
        raise Invalid(f"library: there is no {asked.library!r}; known are {', '.join(LIBRARIES)}; leave it out, and give cached_for")
    rules = asked.caching
    if rules is None:
        if not body.never_expires:
            raise Invalid("library: say by which one it fetches the JWKS, or give cached_for, or never_expires")
        rules = Caching(lifetime=None, refetches=False)
    cooldown = _duration("cooldown", body.cooldown)
    return replace(
        rules,
        lifetime=None if body.never_expires else rules.lifetime,
        refetches=rules.refetches if body.refetches is None else body.refetches,
        cooldown=rules.cooldown if cooldown is None else cooldown,
    )


def _duration(name: str, text: str | int | None) -> int | None:
    if text is None or isinstance(text, int):
        return text if text is None else text * SECOND
    try:
        return parse_duration(text)
    except InvalidDuration as error:
        raise Invalid(f"{name}: {error}") from error
