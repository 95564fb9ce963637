"""Routes of a tenant's own user at the search engine."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.access.scopes import Scope
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.models import SearchUserAnswer
from streams.scope import TenantScope

router = APIRouter(tags=["tenants"])
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]


@router.put("/v1/tenants/{tenant}/search-user", summary="Gives the tenant a user of its own at OpenSearch")
async def put_search_user(scope: _Admin, running: ThePlatform, by: ThePrincipal, response: Response) -> SearchUserAnswer:
    """The user reads the tenant's own events, and nothing else. The password is in this answer only; asking again makes a new one.

    Takes a token with `events:read`, too, and one that does not expire: the user could read longer. That there is such a user is in the
    tenant's log. What it then asks OpenSearch itself is not: Tenantry does not see it.
    """
    granted = await running.search_users.grant(scope, by, running.now())
    response.headers["Cache-Control"] = "no-store"
    return SearchUserAnswer(index=granted.index, user=granted.user, password=granted.password)


@router.delete("/v1/tenants/{tenant}/search-user", status_code=HTTPStatus.NO_CONTENT, summary="Ends that user")
async def delete_search_user(scope: _Admin, running: ThePlatform, by: ThePrincipal) -> None:
    """It is let in no longer."""
    await running.search_users.revoke(scope, by, running.now())
