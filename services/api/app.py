"""The HTTP application: the API's routes behind the public documents."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from services.api import (
    approvals,
    blast_radius,
    brand,
    console,
    event_export,
    event_tail,
    events,
    imports,
    keys,
    notices,
    operations,
    problems,
    relying_parties,
    search_user,
    signing,
    tenants,
    tokens,
    waves,
)
from services.api.measured import Measured
from services.api.openapi import describe_errors
from services.api.published import Asgi, PublishedFirst
from services.api.signing_first import SigningFirst
from services.api.too_large import TooLargeAsProblem
from services.platform import Platform

_MAX_BODY: Final = 65_536
"""Bytes of a request, where its route says nothing else. It is read before anybody looks at the token."""
_DESCRIPTION = """
Each tenant's own log of identity events, and each tenant's own signing keys.

Send a token as `Authorization: Bearer TOKEN`. Another tenant's path answers 404, as if it did not exist; unknown parameters are
refused; errors are problem details (RFC 9457). Lists page with an opaque `next` cursor, which `after` takes, and a `Link` header.
"""


def api(platform: Platform) -> FastAPI:
    """The application without the public documents."""
    app = FastAPIOffline(
        redoc_url=None, redirect_slashes=False, max_body_size=_MAX_BODY, title="Tenantry", version="1", description=_DESCRIPTION
    )
    app.state.platform = platform
    problems.install(app)
    # In this order: the path of one event would take those of the tail and the export for ids.
    logs = (event_tail, event_export, events)
    rings = (keys, blast_radius, imports, relying_parties, approvals, notices, waves)
    for part in (signing, tenants, brand, search_user, tokens, *logs, *rings, operations):
        app.include_router(part.router)
    console.install(app, platform)
    app.add_api_route("/", _home, include_in_schema=False)
    describe_errors(app)
    return app


async def _home() -> RedirectResponse:
    """People who type the address alone want to look at something."""
    return RedirectResponse("/console")


def application(platform: Platform) -> Asgi:
    """The whole application."""
    behind = Measured(SigningFirst(TooLargeAsProblem(api(platform)), platform))
    return PublishedFirst(behind, platform.publication, platform.now)
