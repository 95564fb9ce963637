"""What every route needs: the platform, the principal, the tenant's scope, and refusing what is not known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.access.principal import Principal
from services.access.scopes import Scope
from services.errors import Invalid, Unauthenticated
from services.platform import Platform
from streams.scope import TenantScope

_bearer = HTTPBearer(auto_error=False, description="A token of the tenant, or the operator's")


def platform(request: Request) -> Platform:
    """The running platform."""
    found: Platform = request.app.state.platform
    return found


async def _platform(request: Request) -> Platform:
    """The same for the framework, which would hand what is not `async` to a thread, at each request."""
    return platform(request)


async def principal(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Principal:
    """Who asks.

    Raises:
        Unauthenticated: there is no valid token.
        Invalid: there is a query parameter that the route does not know.
    """
    if credentials is None:
        raise Unauthenticated("send a token as `Authorization: Bearer TOKEN`")
    running = platform(request)
    found = running.tokens.principal(credentials.credentials, running.now())
    _refuse_unknown_parameters(request)
    return found


ThePlatform = Annotated[Platform, Depends(_platform)]
ThePrincipal = Annotated[Principal, Depends(principal)]


def needs(scope: Scope) -> Callable[..., Awaitable[TenantScope]]:
    """A dependency: the right to touch the data of the tenant that the path names."""

    async def entered(tenant: str, running: ThePlatform, by: ThePrincipal) -> TenantScope:
        return by.enter(tenant, scope, running.tenants.exists)

    return entered


async def operator(by: ThePrincipal) -> Principal:
    """An operator."""
    by.require_operator()
    return by


TheOperator = Annotated[Principal, Depends(operator)]


def client_ip(request: Request) -> str | None:
    """The address of the caller's connection. Headers that claim another are not believed."""
    return request.client.host if request.client else None


def _refuse_unknown_parameters(request: Request) -> None:
    # A misspelt filter must not widen an answer.
    route = request.scope.get("route")
    known = frozenset(_names(route.dependant)) if isinstance(route, APIRoute) else frozenset()
    for name in request.query_params:
        if name not in known:
            has = f"there are {', '.join(sorted(known))}" if known else "there are none here"
            raise Invalid(f"unknown parameter {name[:100]!r}; {has}")
        if len(request.query_params.getlist(name)) > 1:
            raise Invalid(f"parameter {name!r} is given more than once")


def _names(dependant: Dependant) -> list[str]:
    names = [str(field.alias) for field in dependant.query_params]
    for part in dependant.dependencies:
        names += _names(part)
    return names
