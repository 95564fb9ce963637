"""Routes for operators: health, readiness, metrics."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.edge import ThePlatform
from streams.errors import StreamsError

router = APIRouter(tags=["operations"])
_LAG_SECONDS: Final = 3.0
"""How long the log may take to say how far it is. Prometheus waits ten seconds, and takes the whole process for dead then."""


@router.get("/healthz", summary="Whether the process runs")
async def health() -> dict[str, str]:
    """A process that does not answer this should be restarted."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether the service can do its work", responses={503: {"description": "It can't; says what is missing"}})
async def ready(running: ThePlatform) -> JSONResponse:
    """The log answers and the processors run. JWKS are served whatever this says.

    `lag` is how many records each processor has before it; `behind`, how many tenants' indexes are being caught up besides, or,
    just after the start, are still to be looked at.
    """
    checks: dict[str, Any] = {}
    try:
        checks["lag"] = await running.runner.lag()
        await running.control.catch_up()
        checks["behind"] = running.processor.behind + running.preparation.left
        checks["log"] = "ok"
    except StreamsError as error:
        checks["log"] = str(error)
    checks["processors"] = running.runner.trouble or "ok"
    good = checks["log"] == checks["processors"] == "ok"
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"status": "ready" if good else "not ready", **checks}, status, {"Cache-Control": "no-store"})


@router.get("/metrics", summary="Metrics for Prometheus")
async def metrics(running: ThePlatform) -> Response:
    """In Prometheus' text format. No metric names a tenant: there may be thousands, and this page has no token."""
    with suppress(StreamsError, TimeoutError):  # while the log is away, the other numbers matter more than ever
        async with asyncio.timeout(_LAG_SECONDS):
            await running.runner.lag()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
