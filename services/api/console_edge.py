"""What every route of the console needs: who has the session, forms that nobody else can send, pages, and errors as pages."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from dashboards.console.frame import HOME, Frame, keys_path, local, log_path, sections, tokens_path
from dashboards.console.plain_pages import ContinuePage, TroublePage
from dashboards.console.render import Page, render
from services.access.principal import Principal
from services.access.scopes import Scope
from services.access.session import Session, Sessions, check_origin
from services.api.brand_frame import brand_of
from services.api.edge import platform
from services.api.problems import problem
from services.errors import Invalid, TooLarge, Unauthenticated

_log = structlog.get_logger(__name__)
_MAX_FORM: Final = 20_000
_LEVEL: Final = 3
"""A page of 100 KB is 10 then, which takes a millisecond."""
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it, browsers name no `Origin` with forms, which `check_origin` needs.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Visitor(NamedTuple):
    """Somebody with a session."""

    session: Session
    principal: Principal


class ConsoleRoute(APIRoute):
    """A route whose errors are pages, and whose every answer has the headers that keep it to itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with that around it."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await inner(request)
            except Unauthenticated:
                response = _to_sign_in(request)
            except Exception as error:  # noqa: BLE001 -- whatever it is, people get a page
                response = _trouble(request, error)
            response.headers.update(_HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return handle


def sessions(request: Request) -> Sessions:
    """The console's sessions."""
    found: Sessions = request.app.state.sessions
    return found


def cookie(request: Request) -> str:
    """The name of the session's cookie; browsers refuse one called `__Secure-` that came without TLS."""
    return "__Secure-tenantry" if platform(request).settings.issuer_base.startswith("https:") else "tenantry"


def known(request: Request) -> Visitor | None:
    """Who has the session that the request's cookie names, if anybody."""
    found = sessions(request).find(request.cookies.get(cookie(request), ""), platform(request).now())
    return Visitor(*found) if found is not None else None


async def visitor(request: Request) -> Visitor:
    """Who has the session.

    Raises:
        Unauthenticated: nobody.
    """
    found = known(request)
    if found is None:
        raise Unauthenticated("sign in first")
    return found


TheVisitor = Annotated[Visitor, Depends(visitor)]


async def form_of(request: Request, session: Session | None = None) -> dict[str, str]:
    """The form that was sent from a page of ours, and of this session, if there is one.

    Raises:
        FormRefused: it was made or sent by somebody else.
        Invalid: it is no form.
        TooLarge: it is larger than any of ours.
    """
    check_origin(request.headers, platform(request).settings.issuer_base)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM:
            raise TooLarge("this form is larger than any form of the console")
    try:
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=20, errors="replace"))
    except ValueError as error:
        raise Invalid("this is no form of the console") from error
    if session is not None:
        session.check_form(form.get("csrf", ""))
    return form


def page_of(
    request: Request, page: Page, who: Visitor | None = None, tenant: str | None = None, *, status: int = 200, brand: str | None = None
) -> Response:
    """The page, within what its visitor may see. The visitor has entered the tenant, if one is given.

    `brand` is whose brand it carries before anybody has signed in.
    """
    around = Frame(brand=brand_of(platform(request), brand)) if who is None else _frame(request, who, tenant)
    return _compressed(request, render(page, around).encode(), status)


def _compressed(request: Request, body: bytes, status: int) -> Response:
    """The page, packed where nobody can learn from its size.

    A page repeats what its address asks for, beside the token of its forms. Who makes a browser ask again and again, from a page of
    theirs, and sees how long the answers are, could guess the one by the other (BREACH). So only what the person or our own page asks
    for is packed.
    """
    headers = {"Vary": "Accept-Encoding, Sec-Fetch-Site"}
    asked_here = request.headers.get("sec-fetch-site") in {"same-origin", "none"}
    if asked_here and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, _LEVEL)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(body, status, headers)


def to(path: str) -> Response:
    """Goes on to another page of ours, with GET."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def home(principal: Principal) -> str:
    """The first page of somebody who sees one tenant."""
    if principal.tenant is None:
        return HOME
    if Scope.EVENTS_READ not in principal.scopes:
        if Scope.KEYS_READ in principal.scopes:
            return keys_path(principal.tenant)
        if Scope.TENANT_ADMIN in principal.scopes:
            return tokens_path(principal.tenant)
    return log_path(principal.tenant)


def without_cookie(request: Request) -> Response | None:
    """For a request that comes from a link on another site, and so without the session's cookie: the page that brings it along."""
    if request.headers.get("sec-fetch-site") not in _ELSEWHERE:
        return None
    return page_of(request, ContinuePage(_own(request)))


def _frame(request: Request, who: Visitor, tenant: str | None) -> Frame:
    session, principal = who
    running = platform(request)
    found = running.tenants.find(tenant) if tenant is not None else None
    if found is None:
        return Frame(principal.name, session.csrf, principal.is_operator)
    events, keys, admin = (scope in principal.scopes for scope in (Scope.EVENTS_READ, Scope.KEYS_READ, Scope.TENANT_ADMIN))
    seen = sections(found.id, events=events, keys=keys, admin=admin)
    brand = brand_of(running, found.id)
    return Frame(principal.name, session.csrf, principal.is_operator, found.id, found.display_name, seen, brand)


def _own(request: Request) -> str:
    """The path and query of the request, as they were sent."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return local(raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else ""))


def without_slash(request: Request) -> str | None:
    """The path and query of the request, as they were sent, without slashes at the end of the path; None if there are none."""
    path, question, query = _own(request).partition("?")
    return path.rstrip("/") + question + query if path.endswith("/") else None


def _to_sign_in(request: Request) -> Response:
    if request.method not in {"GET", "HEAD"}:
        return to(HOME)  # what was sent can't be sent again
    return without_cookie(request) or to(f"{HOME}?{urlencode({'next': _own(request)})}")


def _trouble(request: Request, error: Exception) -> Response:
    found = problem(error)
    if found is not None:
        status, title, message = found.status, found.title, str(error)
    elif isinstance(error, RequestValidationError):
        status, title, message = HTTPStatus.BAD_REQUEST, "The request is not right", "Something in the address is not as it should be."
    else:
        # The message may hold anything, so it goes to our log and not onto the page.
        _log.error("request_failed", method=request.method, route=request.scope.get("path"), exc_info=error)
        status, title, message = HTTPStatus.INTERNAL_SERVER_ERROR, "Tenantry failed", "This is a fault of the service; its log says more."
    who = known(request)
    way_on = home(who.principal) if who is not None else HOME
    response = page_of(request, TroublePage(int(status), title, message[:1].upper() + message[1:], way_on), who, status=status)
    if found is not None and found.retry_after is not None:
        response.headers["Retry-After"] = str(found.retry_after)
    return response
