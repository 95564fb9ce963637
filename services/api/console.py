"""The web console: the same use cases as the API's, behind a session, answered with pages."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI, Request, Response

from dashboards.console import assets
from dashboards.console.event_page import EventPage
from dashboards.console.frame import HOME, SIGN_IN, SIGN_OUT, keys_path, local, log_path
from dashboards.console.keys_page import KeysPage
from dashboards.console.log_page import Asked, LogPage, Problem
from dashboards.console.plain_pages import SignInPage, TenantLine, TenantsPage
from dashboards.console.rotation import rotated, rotation
from keyvault.errors import KeyVaultError
from services.access.scopes import Scope
from services.access.session import LIFETIME_MS, Sessions
from services.api import console_approvals, console_brand, console_compromise, console_dead_letters, console_platform
from services.api.brand_frame import tenant_of
from services.api.console_edge import (
    ConsoleRoute,
    TheVisitor,
    Visitor,
    cookie,
    form_of,
    home,
    known,
    page_of,
    sessions,
    to,
    without_cookie,
)
from services.api.console_log import look
from services.api.edge import ThePlatform, client_ip, platform
from services.api.problems import problem
from services.errors import NotFound, Unauthenticated
from services.platform import Platform
from services.tenants.commands import issuer_of
from streams.errors import QueryError

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_log = structlog.get_logger(__name__)
_READ: Final = ["GET", "HEAD"]
_ANY: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_REFUSED: Final = "This token is not valid: it is unknown, has expired or was revoked."


def install(app: FastAPI, running: Platform) -> None:
    """Adds the console, with sessions of its own, to the application."""
    app.state.sessions = Sessions(running.tokens)
    parts = (console_compromise, console_approvals, console_platform, console_dead_letters, console_brand)
    for part in (console_brand.files, *(one.router for one in parts)):
        app.include_router(part)
    app.include_router(router)


@router.api_route(HOME, methods=_READ)
async def first(request: Request, running: ThePlatform, next: str = "", find: str = "") -> Response:  # noqa: A002 -- its name in URLs
    """Signing in; the tenants, for operators; a tenant's own pages for its tokens."""
    who = known(request)
    if who is None:
        return without_cookie(request) or page_of(request, SignInPage(local(next)), brand=tenant_of(local(next)))
    if next:
        return to(local(next))
    if not who.principal.is_operator:
        return to(home(who.principal))
    word = find.strip().lower()
    lines = [
        TenantLine(
            id=tenant.id,
            name=tenant.display_name,
            created_at=tenant.created_at,
            algorithm=active.algorithm.value if (active := running.rings.of(tenant.id).active) else None,
            signing_since=active.activated_at if active else None,
            log=log_path(tenant.id),
            keys=keys_path(tenant.id),
        )
        for tenant in running.tenants.all()
        if word in tenant.id or word in tenant.display_name.lower()
    ]
    return page_of(request, TenantsPage(running.now(), tuple(lines), find.strip()), who)


@router.post(SIGN_IN)
async def sign_in(request: Request, running: ThePlatform) -> Response:
    """Takes a token, and gives a session for it. A token that is no good gets the same answer whatever is wrong with it."""
    form = await form_of(request)
    target = local(form.get("next", ""))
    open_sessions = sessions(request)
    try:
        identifier = open_sessions.begin(form.get("token", "").strip(), running.now())
    except Unauthenticated:
        _log.warning("console_sign_in_refused", ip=client_ip(request))
        return page_of(request, SignInPage(target, _REFUSED), status=401, brand=tenant_of(target))
    open_sessions.end(request.cookies.get(cookie(request), ""))  # the one before, in the same browser
    response = to(target)
    secure = running.settings.issuer_base.startswith("https:")
    response.set_cookie(
        cookie(request), identifier, max_age=LIFETIME_MS // 1000, path=HOME, secure=secure, httponly=True, samesite="strict"
    )
    return response


@router.api_route(SIGN_IN, methods=_READ)
async def signed_in() -> Response:
    """For those who load the address that a refused sign-in has left in the browser."""
    return to(HOME)


@router.post(SIGN_OUT)
async def sign_out(request: Request, who: TheVisitor) -> Response:
    """Ends the session."""
    await form_of(request, who.session)
    sessions(request).end(request.cookies[cookie(request)])
    response = to(HOME)
    response.delete_cookie(cookie(request), path=HOME)
    return response


@router.api_route(assets.PREFIX + "{name}", methods=_READ)
async def static(name: str) -> Response:
    """A file of the console itself; its name changes with what is in it."""
    found = assets.ASSETS.get(name)
    if found is None:
        raise NotFound("there is no such file")
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})


@router.api_route(HOME + "/{tenant}", methods=_READ)
async def log(
    tenant: str,
    request: Request,
    running: ThePlatform,
    who: TheVisitor,
    q: str = "",
    range: str = "",  # noqa: A002 -- its name in URLs
    since: str = "",
    until: str = "",
    own: str = "",
    after: str = "",
) -> Response:
    """The tenant's log."""
    scope = who.principal.enter(tenant, Scope.EVENTS_READ, running.tenants.exists)
    asked = Asked(tenant, q.strip(), range, since.strip(), until.strip(), bool(own))
    try:
        page = await look(running, scope, asked, after, by=who.principal, ip=client_ip(request))
    except QueryError as error:
        return page_of(request, LogPage(asked=asked, now=running.now(), problem=Problem.of(error, asked.q)), who, tenant, status=400)
    return page_of(request, page, who, tenant)


@router.api_route(HOME + "/{tenant}/events/{event_id:path}", methods=_READ)
async def event(tenant: str, event_id: str, request: Request, running: ThePlatform, who: TheVisitor, id: str = "") -> Response:  # noqa: A002
    """One event; see `dashboards.console.frame.event_path` for `id`."""
    scope = who.principal.enter(tenant, Scope.EVENTS_READ, running.tenants.exists)
    identifier = id if event_id == "-" and id else event_id
    hit = await running.search.one(scope, identifier)
    if hit is None:
        raise NotFound("there is no such event in this log, or it is not indexed yet")
    now, details = running.now(), {"event.id": identifier[:512], "via": "console"}
    await running.audit.record(scope, "event_read", who.principal, now, details=details, ip=client_ip(request))
    return page_of(request, EventPage.of(tenant, json.loads(hit.document), now), who, tenant)


@router.api_route(HOME + "/{tenant}/keys", methods=_READ)
async def keys(tenant: str, request: Request, who: TheVisitor) -> Response:
    """The tenant's key ring."""
    return _keys(request, who, tenant, notice=who.session.take_notice())


@router.post(HOME + "/{tenant}/keys/rotate")
async def rotate(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Does what the page said that it would do, or nothing, if the ring has changed since."""
    form = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.KEYS_ROTATE, running.tenants.exists)
    if form.get("expects") != rotation(running.rings.of(tenant), running.now()).expects:
        trouble = "The keys have changed since this page was loaded, so nothing was done. What a rotation would do now stands below."
        return _keys(request, who, tenant, trouble=trouble, status=HTTPStatus.CONFLICT)
    try:
        done = await running.custodian.rotate(scope, activate=False, reason=None, by=who.principal.id, command=None)
    except KeyVaultError as error:
        found = problem(error)
        return _keys(request, who, tenant, trouble=str(error), status=found.status if found else HTTPStatus.INTERNAL_SERVER_ERROR)
    who.session.notice = rotated(done.outcome, done.ring, done.kid, done.warning, running.now())
    return to(keys_path(tenant))


def _keys(
    request: Request, who: Visitor, tenant: str, *, notice: tuple[str, ...] = (), trouble: str | None = None, status: int = HTTPStatus.OK
) -> Response:
    running = platform(request)
    who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    found = running.tenants.find(tenant)
    assert found is not None, "the tenant was entered"
    page = KeysPage.of(
        tenant,
        running.rings.of(tenant),
        running.now(),
        issuer=issuer_of(found, running.settings.issuer_base),
        may_rotate=Scope.KEYS_ROTATE in who.principal.scopes,
        approvals=console_approvals.pending(running, tenant, who.principal),
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)


@router.api_route(HOME + "/{rest:path}", methods=_ANY)
async def nothing(rest: str) -> Response:  # noqa: ARG001 -- whatever it is
    """Every other path below the console."""
    raise NotFound("there is no such page")
