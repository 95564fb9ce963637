"""Routes of a tenant's keys: the ring, its policy, commands, and the JWKS of the past."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Response

from keyvault.due import activates_at
from keyvault.key import Key
from keyvault.plan import Outcome
from keyvault.policy import Policy
from keyvault.policy_warnings import warnings
from keyvault.readiness import safe_at
from keyvault.ring import Ring
from services.access.scopes import Scope
from services.api import blast_radius
from services.api.approval_answer import approval_answer, approvals_path
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.models import ReasonBody, RotateBody
from services.errors import Invalid
from services.events.search import moment
from services.keys.custodian import Done
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["keys"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]
_Rotator = Annotated[TenantScope, Depends(needs(Scope.KEYS_ROTATE))]
_Revoker = Annotated[TenantScope, Depends(needs(Scope.KEYS_REVOKE))]
_Command = Annotated[str | None, Header(alias="Idempotency-Key", description="The same command with the same key again changes nothing")]

_PENDING: dict[int | str, dict[str, Any]] = {
    202: {"description": "It is under dual control: nothing was done yet. A second person approves at `approve`, until `expires_at`"}
}
_KEYS_EXAMPLE = {
    "keys": [
        {
            "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            "ordinal": 1,
            "algorithm": "RS256",
            "state": "active",
            "published_at": "2026-11-23T10:00:00.000Z",
            "activated_at": "2026-11-23T10:00:00.000Z",
        }
    ]
}


@router.get(
    "/v1/tenants/{tenant}/keys",
    summary="Shows the key ring",
    responses={200: {"content": {"application/json": {"example": _KEYS_EXAMPLE}}}},
)
async def list_keys(scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """Every key there ever was, newest first, with its state (NIST SP 800-57) and times. Never a private half.

    `forced` is why one was activated before its time, `reason` why one is compromised.
    """
    ring = running.rings.of(scope.tenant)
    return {"keys": [key_answer(ring, key) for key in reversed(ring.keys)]}


@router.get("/v1/tenants/{tenant}/keys/policy", summary="Shows the rotation policy")
async def get_policy(scope: _Reader, running: ThePlatform) -> dict[str, Any]:
    """Durations are ISO 8601. `warnings`, if there are any, say what it can't keep, and which relying parties it may break."""
    return _policy(running.rings.of(scope.tenant))


@router.put("/v1/tenants/{tenant}/keys/policy", summary="Sets the rotation policy", responses=_PENDING)
async def put_policy(
    scope: _Rotator,
    body: Annotated[dict[str, Any], Body(examples=[{"algorithm": "ES256", "rotation_period": "P30D"}])],
    running: ThePlatform,
    by: ThePrincipal,
    response: Response,
    command: _Command = None,
) -> dict[str, Any]:
    """What is left out takes its default. The policy is judged as a whole: one that would break relying parties is refused.

    The answer's `warnings` say what it can't keep, and which relying parties it may break. In the body they are passed over, so that what
    GET answered can be changed and sent back. While something is under dual control, weakening that takes a second person, too.
    """
    policy = Policy.parse({name: value for name, value in body.items() if name != "warnings"})
    done = await running.custodian.change_policy(scope, policy, by=by.id, command=command)
    return done_answer(scope, done, running.now(), response) if done.outcome is Outcome.PENDING else _policy(done.ring)


@router.post(
    "/v1/tenants/{tenant}/keys/rotate",
    summary="Rotates: prepares the next key, or activates it when it is due",
    responses={201: {"description": "A standby was created; it activates at `activates_at`"}, **_PENDING},
)
async def rotate(
    scope: _Rotator, body: RotateBody, running: ThePlatform, by: ThePrincipal, response: Response, command: _Command = None
) -> dict[str, Any]:
    """Without a standby one is created (201). One that is not due is answered with `activates_at`. One that is due signs.

    `activate` forces it, and needs a reason; the answer's `warning` says whom that may break.
    """
    done = await running.custodian.rotate(scope, activate=body.activate, reason=body.reason, by=by.id, command=command)
    if done.outcome is Outcome.CREATED:
        response.status_code = HTTPStatus.CREATED
    return done_answer(scope, done, running.now(), response)


@router.post("/v1/tenants/{tenant}/keys/{kid:path}/activate", summary="Lets a standby key sign", responses=_PENDING)
async def activate(
    kid: str,
    scope: _Rotator,
    running: ThePlatform,
    by: ThePrincipal,
    response: Response,
    body: ReasonBody | None = None,
    command: _Command = None,
) -> dict[str, Any]:
    """At once if it is due; before, with a reason, and then the answer's `warning` says whom that may break."""
    reason = body.reason if body is not None else None
    done = await running.custodian.activate(scope, kid, reason=reason, by=by.id, command=command)
    return done_answer(scope, done, running.now(), response)


@router.post("/v1/tenants/{tenant}/keys/{kid:path}/compromise", summary="Reports a key as compromised", responses=_PENDING)
async def compromise(
    kid: str, scope: _Revoker, body: ReasonBody, running: ThePlatform, by: ThePrincipal, response: Response, command: _Command = None
) -> dict[str, Any]:
    """It leaves the JWKS at once, and a successor signs. If the key store is away it leaves all the same, and signing answers 503.

    `blast_radius` says who is affected, as its own route does at any time.
    """
    done = await running.custodian.compromise(scope, kid, reason=body.reason, by=by.id, command=command)
    return {
        **done_answer(scope, done, running.now(), response),
        "blast_radius": blast_radius.answer(await blast_radius.radius(running, scope, kid, done.ring)),
    }


@router.post("/v1/tenants/{tenant}/keys/{kid:path}/destroy", summary="Destroys a key", responses=_PENDING)
async def destroy(
    kid: str, scope: _Revoker, running: ThePlatform, by: ThePrincipal, response: Response, command: _Command = None
) -> dict[str, Any]:
    """The key store forgets the private half, for good. Only of a key that nothing needs any more."""
    done = await running.custodian.destroy(scope, kid, by=by.id, command=command)
    return done_answer(scope, done, running.now(), response)


@router.head("/t/{tenant}/jwks.json", include_in_schema=False)
@router.get("/t/{tenant}/jwks.json", summary="The JWKS, now (public) or at a time in the past (with `keys:read`)", tags=["public"])
async def past_jwks(
    scope: _Reader, running: ThePlatform, at: Annotated[str, Query(description="ISO 8601 with a zone", examples=["2026-11-23T10:00:00Z"])]
) -> Response:
    """Without `at` it is public and cacheable; with it, it needs a token, and is what was published then."""
    now = running.now()
    time = moment("at", at, now)
    if time > now:
        raise Invalid("at: is in the future, of which nobody knows the keys")
    ring = await running.custodian.past(scope, time)
    return Response(ring.jwks(time).body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _policy(ring: Ring) -> dict[str, Any]:
    found = warnings(ring, ring.policy)
    return ring.policy.render() | ({"warnings": found} if found else {})


def done_answer(scope: TenantScope, done: Done, now: int, response: Response) -> dict[str, Any]:
    """What a command came to; sets the answer's status if it waits for a second person."""
    ring = done.ring
    if done.outcome is Outcome.PENDING and done.approval is not None:
        response.status_code = HTTPStatus.ACCEPTED
        response.headers["Location"] = f"{approvals_path(scope.tenant)}/{done.approval.id}"
        warning = {"warning": done.warning} if done.warning is not None else {}
        return {"outcome": done.outcome.value, **approval_answer(scope.tenant, done.approval, now), **warning}
    answer: dict[str, Any] = {"outcome": done.outcome.value, "active": ring.active.kid if ring.active else None}
    if done.kid is not None:
        answer |= key_answer(ring, ring.find(done.kid))
    if done.warning is not None:
        answer["warning"] = done.warning
    return answer


def key_answer(ring: Ring, key: Key) -> dict[str, Any]:
    """A key with its state and times."""
    times = {
        name: iso(value)
        for name in ("published_at", "activated_at", "deactivated_at", "publish_until", "compromised_at", "destroyed_at")
        if (value := getattr(key, name)) is not None
    }
    answer: dict[str, Any] = {"kid": key.kid, "ordinal": key.ordinal, "algorithm": key.algorithm.value, "state": key.state.value, **times}
    if ring.standby is not None and key.kid == ring.standby.kid:
        scheduled = activates_at(ring, ring.policy)
        answer["ready_at"] = iso(safe_at(ring, ring.policy, key))
        answer["activates_at"] = iso(scheduled) if scheduled is not None else None
    if key.imported:
        answer |= {"imported": True, "in_key_store": key.stored}
    if key.forced is not None:
        answer["forced"] = key.forced
    if key.compromise_reason is not None:
        answer["reason"] = key.compromise_reason
    return answer
