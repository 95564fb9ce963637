"""The routes of the API and of the console as the program has them, found without starting it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from dashboards.console.frame import HOME
from services.access.scopes import Scope
from services.api import app, console, edge
from services.api.published import _PATH, _RFC_8414

_IN_ITS_BODY: Final = {
    "GET /v1/tenants": "`tenant:admin`",
    "PUT /v1/tenants/{tenant}": "`tenant:admin` for the display name, else operator",
    "DELETE /v1/tenants/{tenant}": "operator",
    "PUT /v1/tenants/{tenant}/domains": "operator",
    "PUT /v1/tenants/{tenant}/search-user": "`tenant:admin` and `events:read`",
    "POST /v1/tenants/{tenant}/keys/approvals/{identifier}/approve": "the scope that asking for it takes",
    "POST /v1/tenants/{tenant}/keys/approvals/{identifier}/withdraw": "the scope that asking for it takes",
}
"""What routes take that ask for it themselves, and not, or not only, by a dependency."""

_CONVERTOR: Final = re.compile(r":(path|text)\}")


class Route(NamedTuple):
    """A route of the API.

    Attributes:
        name: the method and the path.
        takes: the scopes that it takes, in words.
        summary: what it does.
    """

    name: str
    takes: str
    summary: str


def api_routes() -> Iterator[Route]:
    """Those that `/docs` describes."""
    for route in _of(app):
        if route.include_in_schema:
            for method in route.methods or ():
                name = f"{method} {_CONVERTOR.sub('}', route.path)}"
                yield Route(name, _IN_ITS_BODY.get(name) or _takes(route.dependant), route.summary or "")


def is_route(method: str, path: str) -> bool:
    """Whether the program answers this method (empty: any) at this path, as pages write it: `TENANT`, `acme` and `{tenant}` are tenants."""
    if any((not method or method in methods) and pattern.fullmatch(path) for methods, pattern in _patterns()):
        return True
    public = re.sub("[{}]", "", path).lower()
    return method in {"", "GET"} and any(pattern.fullmatch(public) for pattern in (_PATH, _RFC_8414))


@cache
def _patterns() -> Sequence[tuple[Collection[str], re.Pattern[str]]]:
    routes = [*_of(app), *_of(console)]
    return [(route.methods or (), _pattern(route.path)) for route in routes if route.path != f"{HOME}/{{rest:path}}"]


def _of(module: object) -> Iterator[APIRoute]:
    for part in vars(module).values():
        router: Any = getattr(part, "router", None) if not isinstance(part, APIRouter) else part
        if isinstance(router, APIRouter):
            yield from (route for route in router.routes if isinstance(route, APIRoute))


def _pattern(path: str) -> re.Pattern[str]:
    # What may hold slashes is nearly anything, so a page writes a placeholder there.
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile("".join(_placeholder(part) if part.startswith("{") else re.escape(part) for part in parts))


def _placeholder(part: str) -> str:
    return r"(?:[A-Z]+|\{\w+\})" if _CONVERTOR.search(part) else r"[^/]+"


def _takes(dependant: Dependant) -> str:
    if any(one.call is edge.operator for one in _all(dependant)):
        return "operator"
    scopes = [cell.cell_contents for one in _all(dependant) for cell in getattr(one.call, "__closure__", None) or ()]
    return " and ".join(f"`{scope.value}`" for scope in scopes if isinstance(scope, Scope)) or "nothing"


def _all(dependant: Dependant) -> Sequence[Dependant]:
    return [dependant, *(below for one in dependant.dependencies for below in _all(one))]
