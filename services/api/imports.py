"""Routes of keys that come from elsewhere, and of public keys that go there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import ConfigDict, Field, Secret

from keyvault.algorithms import Algorithm
from keyvault.foreign_jwks import ForeignJwks, read_public_keys
from services.access.scopes import Scope
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.keys import done_answer, key_answer
from services.api.models import Strict
from services.errors import Invalid
from services.events.search import moment
from services.keys.imports import Adoption, read
from services.platform import Platform
from streams.scope import TenantScope

router = APIRouter(tags=["keys"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]
_Rotator = Annotated[TenantScope, Depends(needs(Scope.KEYS_ROTATE))]
# Whoever has the private half of a published key signs as the tenant: that is more than a rotation.
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]
_Command = Annotated[str | None, Header(alias="Idempotency-Key", description="The same command with the same key again changes nothing")]
_Time = Annotated[str, Field(min_length=1, max_length=40)]

_PUBLISHED_EXAMPLE = {
    "outcome": "imported",
    "keys": [{"kid": "EZv0waCn", "ordinal": 0, "algorithm": "RS256", "state": "deactivated", "imported": True, "in_key_store": False}],
    "skipped": [{"kid": "S1ZKo30z", "reason": "its use is 'enc', not 'sig'"}],
}


class ImportBody(Strict):
    """Public keys to publish. Exactly one of `url` and `jwks`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://idp.example/realms/acme/protocol/openid-connect/certs", "publish_until": "2026-12-01T00:00:00Z"}]
        },
    )

    url: Annotated[str | None, Field(max_length=2048, description="Where their JWKS is; called from here, if it may be")] = None
    jwks: Annotated[dict[str, Any] | None, Field(description="Their JWKS (RFC 7517), or one JWK; public members only")] = None
    publish_until: Annotated[_Time, Field(description="When the last token that they signed has expired: ISO 8601, or as now+7d")]


class AdoptBody(Strict):
    """A private key that is to sign here."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"private_key": "-----BEGIN PRIVATE KEY-----…", "known_since": "2026-01-01T00:00:00Z"}]},
    )

    private_key: Annotated[Secret[str | dict[str, Any]], Field(description="PEM, a JWK, or base64 of DER; not encrypted")]
    kid: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=256,
            description="What it is called; by default as its public half that was imported, or its thumbprint",
        ),
    ] = None
    algorithm: Annotated[Algorithm | None, Field(description="What it is used with, if it does not say so itself")] = None
    known_since: Annotated[
        _Time | None, Field(description="Since when relying parties can fetch it where it comes from; with it, it may sign at once")
    ] = None
    activate: Annotated[bool, Field(description="Let it sign at once, whoever has not seen it yet")] = False
    reason: Annotated[str | None, Field(min_length=1, max_length=500, description="Needed with `activate`")] = None


@router.post(
    "/v1/tenants/{tenant}/keys/import",
    summary="Publishes keys that were made elsewhere",
    responses={200: {"content": {"application/json": {"example": _PUBLISHED_EXAMPLE}}}},
)
async def publish(
    scope: _Rotator, _: _Admin, body: ImportBody, running: ThePlatform, by: ThePrincipal, command: _Command = None
) -> dict[str, Any]:
    """So that tokens of theirs verify until `publish_until`. They never sign here. All or none of them; `skipped` says which are of no use.

    Again, it changes nothing, or puts `publish_until` off. A document with a private key in it is refused. Takes `keys:rotate` and
    `tenant:admin`: whoever has the private half of a published key signs as the tenant.
    """
    until = moment("publish_until", body.publish_until, running.now())
    found = await _found(running, body)
    done = await running.imports.publish(scope, found.keys, until, until=body.publish_until, by=by.id, command=command)
    return {
        "outcome": done.outcome.value,
        "keys": [key_answer(done.ring, done.ring.find(jwk.kid)) for jwk in found.keys],
        "skipped": [{"kid": one.kid, "reason": one.reason} for one in found.skipped],
    }


@router.post("/v1/tenants/{tenant}/keys/adopt", summary="Lets a private key that was made elsewhere sign here")
async def adopt(
    scope: _Rotator,
    _: _Admin,
    body: AdoptBody,
    running: ThePlatform,
    by: ThePrincipal,
    response: Response,
    command: _Command = None,
) -> dict[str, Any]:
    """It goes into the key store, which does not give it back, and keeps its `kid`.

    It signs at once if its public half has been published here, or known elsewhere (`known_since`), for `publish_ahead`, and every
    registered relying party must have it; then the key before it stays published until its last token has expired. Else it becomes the
    standby and takes over by itself at `activates_at`. `activate` forces it, with a reason. Interrupted, it can be repeated.
    """
    asked = Adoption(
        key=await read(body.private_key.get_secret_value()),
        kid=body.kid,
        algorithm=body.algorithm,
        known_since=moment("known_since", body.known_since, running.now()) if body.known_since is not None else None,
        activate=body.activate,
        reason=body.reason,
    )
    response.headers["Cache-Control"] = "no-store"
    done = await running.imports.adopt(scope, asked, by=by.id, command=command)
    return done_answer(scope, done, running.now(), response)


@router.get("/v1/tenants/{tenant}/keys/export", summary="Gives the published public keys as a file")
async def export(
    scope: _Reader,
    running: ThePlatform,
    form: Annotated[Literal["jwks", "pem"], Query(alias="format", description="A JWK set, or PEM")] = "jwks",
) -> Response:
    """Public halves only: a private half never leaves the key store. For whoever can't fetch the JWKS, which is public."""
    published = running.rings.of(scope.tenant).jwks(running.now())
    if form == "jwks":
        return Response(published.body, media_type="application/jwk-set+json", headers={"Cache-Control": "no-store"})
    text = "".join(f"# kid: {jwk.kid}, alg: {jwk.alg}\n{jwk.to_pem()}" for jwk in published.keys)
    return Response(text, media_type="application/x-pem-file", headers={"Cache-Control": "no-store"})


async def _found(running: Platform, body: ImportBody) -> ForeignJwks:
    if body.jwks is not None and body.url is None:
        return read_public_keys(body.jwks)
    if body.url is not None and body.jwks is None:
        return await running.imports.fetch(body.url)
    raise Invalid("give `url` or `jwks`, one of the two")
