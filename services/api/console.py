"""The web console: the same use cases as the API's, behind a session, answered with pages."""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, FastAPI, Request, Response

from dashboards.console import assets
from dashboards.console.frame import HOME, SIGN_IN, SIGN_OUT, keys_path, local, log_path
from dashboards.console.plain_pages import SignInPage, TenantLine, TenantsPage
from services.access.session import LIFETIME_MS, Sessions
from services.api import (
    console_activate,
    console_approvals,
    console_brand,
    console_completion,
    console_compromise,
    console_dead_letters,
    console_event,
    console_export,
    console_keys,
    console_log,
    console_parties,
    console_party,
    console_platform,
    console_tail,
    console_tokens,
)
from services.api.brand_frame import tenant_of
from services.api.console_edge import (
    ConsoleRoute,
    TheVisitor,
    cookie,
    form_of,
    home,
    known,
    page_of,
    sessions,
    to,
    without_cookie,
    without_slash,
)
from services.api.edge import ThePlatform, client_ip
from services.errors import NotFound, Unauthenticated
from services.platform import Platform

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_log = structlog.get_logger(__name__)
_READ: Final = ["GET", "HEAD"]
_ANY: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_REFUSED: Final = "This token is not valid: it is unknown, has expired or was revoked."


def install(app: FastAPI, running: Platform) -> None:
    """Adds the console, with sessions of its own, to the application."""
    app.state.sessions = Sessions(running.tokens)
    platform_pages = (console_platform, console_dead_letters)
    log = (console_log, console_event, console_tail, console_export, console_completion)
    rings = (console_compromise, console_approvals, console_keys, console_activate)
    others = (console_parties, console_party, console_tokens, console_brand)
    for part in (console_brand.files, *(one.router for one in (*platform_pages, *log, *rings, *others))):
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
async def sign_out(request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Ends the session."""
    await form_of(request, who.session)
    sessions(request).end(request.cookies[cookie(request)])
    response = to(HOME)
    secure = running.settings.issuer_base.startswith("https:")  # else a browser refuses to change a cookie called `__Secure-`
    response.delete_cookie(cookie(request), path=HOME, secure=secure, httponly=True, samesite="strict")
    return response


@router.api_route(assets.PREFIX + "{name}", methods=_READ)
async def static(name: str) -> Response:
    """A file of the console itself; its name changes with what is in it."""
    found = assets.ASSETS.get(name)
    if found is None:
        raise NotFound("there is no such file")
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})


@router.api_route(HOME + "/{rest:text}", methods=_ANY)
async def nothing(request: Request, rest: str) -> Response:  # noqa: ARG001 -- whatever it is
    """Every other path below the console; one that ends with a slash is sent on to the page without it."""
    # Not by `rest`, in which `%2F` is a slash, too: that page would be sent on to itself.
    if request.method in _READ and (page := without_slash(request)) is not None:
        return to(page)
    raise NotFound("there is no such page")
