"""Routes of a tenant's access tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response

from services.access import tokens
from services.access.principal import Principal
from services.access.scopes import TENANT_SCOPES, Scope
from services.access.secret import Secret
from services.access.tokens import Token
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.models import MintedAnswer, TokenAnswer, TokenBody, TokenList
from services.errors import Invalid
from services.platform import Platform
from streams.event import iso
from streams.scope import TenantScope

_LONGEST_MS: Final = 10 * 366 * 24 * 3600 * 1000
router = APIRouter(tags=["tokens"])
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]


@router.get("/v1/tenants/{tenant}/tokens", summary="Lists the tenant's tokens")
async def list_tokens(scope: _Admin, running: ThePlatform) -> TokenList:
    """The tokens that are not revoked, oldest first, without their secrets."""
    return TokenList(tokens=[TokenAnswer(**_answer(token)) for token in running.tokens.of(scope.tenant)])


@router.post("/v1/tenants/{tenant}/tokens", status_code=HTTPStatus.CREATED, summary="Mints a token")
async def mint_token(scope: _Admin, body: TokenBody, running: ThePlatform, by: ThePrincipal, response: Response) -> MintedAnswer:
    """The token is in this answer only: its hash is all that is kept."""
    token, secret = await mint(running, scope, body, by)
    response.headers["Cache-Control"] = "no-store"
    return MintedAnswer(**_answer(token), token=secret.text)


@router.delete("/v1/tenants/{tenant}/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, summary="Revokes a token")
async def revoke_token(token_id: str, scope: _Admin, running: ThePlatform, by: ThePrincipal) -> None:
    """It is refused from now on."""
    await tokens.revoke(running.control, running.tokens, scope, token_id, by, running.now())


async def mint(running: Platform, scope: TenantScope, body: TokenBody, by: Principal) -> tuple[Token, Secret]:
    """A new token of the tenant, and its secret, which is kept nowhere.

    Raises:
        Invalid: a scope is not a tenant's, or the end is in the past or too far away.
        Forbidden: it would hold more than the one that mints it, or outlive it.
        Conflict: the tenant has a valid token of this name.
    """
    now = running.now()
    scopes = frozenset(body.scopes)
    if not scopes <= TENANT_SCOPES:
        raise Invalid(f"scopes: a tenant's token can't hold {Scope.PLATFORM_ADMIN.value}; there are {', '.join(sorted(TENANT_SCOPES))}")
    expires_at = int(body.expires_at.timestamp() * 1000) if body.expires_at else None
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at: is in the past")
    if expires_at is not None and expires_at > now + _LONGEST_MS:
        raise Invalid("expires_at: is more than ten years away; leave it out for a token that does not expire")
    secret = await tokens.mint(running.control, running.tokens, scope.tenant, body.name, scopes, by, now, expires_at)
    return next(token for token in running.tokens.of(scope.tenant) if token.id == secret.id), secret


def _answer(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "minted_at": iso(token.minted_at),
        "minted_by": token.minted_by,
        "expires_at": iso(token.expires_at) if token.expires_at is not None else None,
    }
