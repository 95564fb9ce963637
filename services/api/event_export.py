"""The route of a tenant's export: all events that a question finds, as a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from services.access.principal import Principal
from services.api.asking import Asked, Reader, details_of, still
from services.api.edge import ThePlatform, ThePrincipal, client_ip
from services.api.streamed import PART_BYTES, Streamed
from services.events.csv_file import CsvFile
from services.events.export import Export
from services.events.export_file import ExportFile, NdjsonFile
from services.events.search import Question
from services.platform import Platform
from streams import position as positions
from streams.scope import TenantScope

router = APIRouter(tags=["events"])


class Format(StrEnum):
    """The formats of an export."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file",
        "content": {
            NdjsonFile.media_type: {"example": '{"log.position": "0000000000100001", "event.action": "login_error"}\n'},
            "text/csv": {"example": '"timestamp","event.id","event.action"\r\n"2026-11-23T16:51:50.932Z","7d9e31cf","login_error"\r\n'},
            "application/vnd.apache.parquet": _BINARY,
        },
        "headers": {
            "Tenantry-Indexed-Up-To": {"description": "The moment of the export, as a `log.position`", "schema": {"type": "string"}},
            "Tenantry-Events": {"description": "About how many events there are", "schema": {"type": "integer"}},
        },
    }
}


@router.get("/v1/tenants/{tenant}/events/export", summary="Exports events as a file", responses=_ANSWERS, response_class=Response)
async def export(
    request: Request,
    scope: Reader,
    asked: Asked,
    running: ThePlatform,
    by: ThePrincipal,
    format: Annotated[Format, Query(description="Of the file")] = Format.NDJSON,  # noqa: A002 -- the API's name
) -> Response:
    """Every event that the question finds, once, in the order of the log, up to the moment of the request; of any length.

    The moment is in `Tenantry-Indexed-Up-To`: who tails from there on (`after`) misses nothing and has nothing twice. An export that
    fails midway ends without its last chunk, which HTTP clients report as an error.
    """
    return await exported(request, running, scope, asked, by, format, lambda: still(running, by, scope))


async def exported(
    request: Request,
    running: Platform,
    scope: TenantScope,
    question: Question,
    by: Principal,
    format: Format,  # noqa: A002 -- the API's name
    check: Callable[[], object],
    told: Mapping[str, object] | None = None,
) -> Response:
    """The file with all events that the question finds, once whoever asks for it is known.

    Args:
        request: what is answered.
        running: the platform.
        scope: the tenant.
        question: what the events must match.
        by: who asks, for the tenant's log.
        format: of the file.
        check: asked now and then; it raises `Refused` when the file must break off.
        told: what else the tenant's log says of it.

    Raises:
        TooMany: there are as many exports as there may be.
        QueryError: the question is not right.
    """
    now = running.now()
    async with AsyncExitStack() as held:
        held.enter_context(running.exports.take(scope))
        found = await running.search.export(scope, question, now=now)
        file = await asyncio.to_thread(_file, format)
        details = details_of(question, format=format.value, **(told or {}))
        await running.audit.record(scope, "events_exported", by, now, details=details, ip=client_ip(request))
        headers = {
            "Content-Disposition": f'attachment; filename="{scope.tenant}-events.{file.suffix}"',
            "Tenantry-Indexed-Up-To": positions.render(found.upto),
            "Tenantry-Events": str(found.about),
            "X-Content-Type-Options": "nosniff",
        }
        return Streamed(_parts(found, file, check), held.pop_all(), media_type=file.media_type, headers=headers)
    raise AssertionError("the stack swallows nothing")


def _file(format: Format) -> ExportFile:  # noqa: A002 -- the API's name
    if format is Format.PARQUET:
        # Here, since it takes a tenth of a second and 50 MB, which only those need who ask for it.
        from services.events.parquet_file import ParquetFile  # noqa: PLC0415

        return ParquetFile()
    return CsvFile() if format is Format.CSV else NdjsonFile()


async def _parts(found: Export, file: ExportFile, check: Callable[[], object]) -> AsyncGenerator[bytes, None]:
    """The file in parts of about `PART_BYTES`."""
    yield file.begin()
    async with aclosing(found.pages()) as pages:
        async for hits in pages:
            check()
            for part in _cut(await asyncio.to_thread(file.more, hits)):
                yield part
    for part in _cut(await asyncio.to_thread(file.end)):
        yield part


def _cut(data: bytes) -> list[bytes]:
    return [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
