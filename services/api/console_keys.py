"""The console's page of a tenant's keys: the ring, what a rotation would do, and what happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response

from dashboards.console.frame import HOME, keys_path
from dashboards.console.key_history import HISTORY_QUERY, History, HistoryPage
from dashboards.console.keys_page import KeysPage
from dashboards.console.published_jwks import PublishedJwks
from dashboards.console.rotation import rotated, rotation
from keyvault.errors import KeyVaultError
from keyvault.ring import Ring
from services.access.principal import Principal
from services.access.scopes import Scope
from services.api import console_approvals
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.edge import ThePlatform, platform
from services.api.problems import problem
from services.errors import Conflict
from services.events.search import Question
from services.platform import Platform
from services.tenants.commands import issuer_of
from streams.errors import CursorError, StreamsError
from streams.scope import TenantScope

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_log = structlog.get_logger(__name__)
_READ: Final = ["GET", "HEAD"]
_LAST: Final = 8
_PAGE: Final = 50
_CHANGED: Final = "The keys have changed since this page was loaded, so nothing was done. What a rotation would do now stands below."
_SECONDS: Final = 2.0
"""For what the search index knows of the past: the page of the keys is needed most when something is down."""


@router.api_route(HOME + "/{tenant}/keys", methods=_READ)
async def keys(tenant: str, request: Request, who: TheVisitor) -> Response:
    """The tenant's key ring."""
    return await _keys(request, who, tenant, notice=who.session.take_notice())


@router.post(HOME + "/{tenant}/keys/rotate")
async def rotate(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Does what the page said that it would do, or nothing, if the ring has changed since."""
    form = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.KEYS_ROTATE, running.tenants.exists)

    def check(ring: Ring, now: int) -> None:
        if form.get("expects") != rotation(ring, now).expects:
            raise Conflict(_CHANGED)

    try:
        done = await running.custodian.rotate(scope, activate=False, reason=None, by=who.principal.id, command=None, check=check)
    except (KeyVaultError, Conflict) as error:
        found = problem(error)
        status = found.status if found else HTTPStatus.INTERNAL_SERVER_ERROR
        return await _keys(request, who, tenant, trouble=str(error), status=status)
    who.session.notice = rotated(done.outcome, done.ring, done.kid, done.warning, running.now())
    return to(keys_path(tenant))


@router.api_route(HOME + "/{tenant}/keys/rotate", methods=_READ)
async def after_rotation(tenant: str) -> Response:
    """For those who load the address that a refused rotation has left in the browser."""
    return to(keys_path(tenant))


@router.api_route(HOME + "/{tenant}/keys/history", methods=_READ)
async def history(tenant: str, request: Request, running: ThePlatform, who: TheVisitor, after: str = "") -> Response:
    """What happened to the keys, page by page."""
    scope = who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    found = await _history(running, scope, who.principal, limit=_PAGE, after=after)
    status = HTTPStatus.OK if found is not None else HTTPStatus.SERVICE_UNAVAILABLE
    return page_of(request, HistoryPage(tenant, running.now(), found, bool(after)), who, tenant, status=status)


async def _keys(
    request: Request, who: Visitor, tenant: str, *, notice: tuple[str, ...] = (), trouble: str | None = None, status: int = HTTPStatus.OK
) -> Response:
    running = platform(request)
    scope = who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    found = running.tenants.find(tenant)
    assert found is not None, "the tenant was entered"
    past = await _history(running, scope, who.principal, limit=_LAST)
    page = KeysPage.of(
        tenant,
        running.rings.of(tenant),
        running.now(),
        issuer=issuer_of(found, running.settings.issuer_base),
        may_rotate=Scope.KEYS_ROTATE in who.principal.scopes,
        jwks=_jwks(running, tenant),
        history=past,
        approvals=console_approvals.pending(running, tenant, who.principal),
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)


def _jwks(running: Platform, tenant: str) -> PublishedJwks | None:
    """From where relying parties get it, so that nothing else is shown."""
    served = running.publication.jwks(tenant, running.now())
    if served is None:
        return None
    url = f"{running.settings.issuer_base}/t/{tenant}/jwks.json"
    return PublishedJwks.of(running.rings.of(tenant), url=url, body=served.body, etag=served.etag, max_age=served.max_age)


async def _history(running: Platform, scope: TenantScope, who: Principal, *, limit: int, after: str = "") -> History | None:
    """What the tenant's own log says of its keys, for whoever may read those; None if the index does not answer soon.

    Raises:
        CursorError: `after` is no cursor of this history.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            page = await running.search.page(
                scope, Question(HISTORY_QUERY), now=running.now(), sort="newest", limit=limit, after=after or None, whose="key history"
            )
    except CursorError:
        raise
    except (StreamsError, TimeoutError) as error:
        _log.warning("key_history_unknown", tenant=scope.tenant, error=str(error) or "no answer in time")
        return None
    return History.of([json.loads(hit.document) for hit in page.hits], page.next, _names(running, scope, who))


def _names(running: Platform, scope: TenantScope, who: Principal) -> Mapping[str, str]:
    """What the tenant's tokens are called, for those who may list them."""
    if Scope.TENANT_ADMIN not in who.scopes:
        return {}
    return {f"token:{token.id}": token.name for token in running.tokens.of(scope.tenant)}
