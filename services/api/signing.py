"""The route that signs tokens."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Response

from dashboards.metrics import SIGN_FAILURES
from keyvault.signing import SignedToken
from services.access.scopes import Scope
from services.api.edge import ThePlatform, needs
from services.api.models import SignAnswer, SignBody, SignedBatch
from services.errors import CutOff
from services.platform import Platform
from services.tenants.commands import issuer_of
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["keys"])
_Signer = Annotated[TenantScope, Depends(needs(Scope.TOKENS_SIGN))]
MAX_BODY: Final = 262_144
"""Bytes: a hundred tokens of two kilobytes and a half."""
NO_STORE: Final = "no-store"
"""How a token may be cached."""


@router.post(
    "/v1/tenants/{tenant}/tokens/sign",
    summary="Signs a token, or a batch of them",
    max_body_size=MAX_BODY,
    response_model=SignAnswer | SignedBatch,
    responses={503: {"description": "The key store is away, or there is no active key; `Retry-After` says when to come again"}},
)
async def sign(scope: _Signer, body: SignBody, running: ThePlatform) -> Response:
    """For identity providers: claims in, JWT out, signed by the active key. `iss`, `iat` and the lifetime are the service's to set.

    A batch is signed as a whole or not at all; what is wrong with one token's claims is said with its `index`. Tokens that are asked for
    one by one, but at once, reach the key store together all the same: a batch spares requests to this service only.
    """
    return Response(await answer(running, scope, body), media_type="application/json", headers={"Cache-Control": NO_STORE})


async def answer(running: Platform, scope: TenantScope, body: SignBody) -> bytes:
    """What is answered to a request that is right, as JSON. Raises what `keyvault.signing.sign_tokens` raises, and `CutOff`."""
    tenant = running.tenants.find(scope.tenant)
    assert tenant is not None, "the scope was entered"
    try:
        running.hearing.check(running.rings.of(scope.tenant).policy)
    except CutOff:
        SIGN_FAILURES.inc()
        raise
    signed = await running.custodian.sign(scope, body.each, issuer_of(tenant, running.settings.issuer_base))
    tokens = [_token(one) for one in signed]
    shown = tokens[0] if body.batch is None else {"tokens": tokens}
    return msgspec.json.encode(shown)


def _token(signed: SignedToken) -> dict[str, Any]:
    return {"token": signed.token, "kid": signed.kid, "expires_at": iso(signed.expires_at)}
