"""`tenantry doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import typer

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound
from keyvault.key_store import KeyName
from services.cli.app import Json
from services.cli.output import out, print_json
from services.engines import open_index, open_log, open_store
from services.settings import Settings
from streams.errors import IndexMissing
from streams.event_log import CONTROL, STREAMS
from streams.scope import TenantScope

_PATIENCE_SECONDS: Final = 30.0
_LOW_BYTES: Final = 1 << 30
_NOBODY: Final = TenantScope("doctor-looks-for-nobody")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Checks the settings and each engine, and says what to mend. Exit code 1 if anything is wrong."""
    findings = asyncio.run(_examine(Settings()))
    if json:
        print_json([{"check": name, "ok": ok, "detail": detail} for name, ok, detail in findings])
    else:
        for name, ok, detail in findings:
            out.print(f"{'ok  ' if ok else 'BAD '} {name}: {detail}", soft_wrap=True)
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[tuple[str, bool, str]]:
    data = await _check("data directory", lambda: _data(settings))
    if not data[1]:
        return [data]  # looking further would make what is not there
    return [
        data,
        await _check("event log", lambda: _log(settings)),
        await _check("search index", lambda: _index(settings)),
        await _check("key store", lambda: _store(settings)),
    ]


async def _check(name: str, look: Callable[[], Awaitable[str]]) -> tuple[str, bool, str]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return name, True, await look()
    except TimeoutError:
        return name, False, f"it does not answer within {_PATIENCE_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 -- whatever is wrong is a finding
        return name, False, str(error)


async def _data(settings: Settings) -> str:
    if not settings.data.is_dir():
        raise FileNotFoundError(f"{settings.data} is not there; `tenantry serve` makes it, or set TENANTRY_DATA")
    free = shutil.disk_usage(settings.data).free
    if free < _LOW_BYTES:
        raise OSError(f"only {free >> 20} MiB are free in {settings.data}; free some before writes fail")
    return f"{settings.data}, {free >> 30} GiB free"


async def _log(settings: Settings) -> str:
    log = await open_log(settings)
    try:
        counts = [f"{stream} {sum((await log.ends(stream)).values())}" for stream in STREAMS]
        await log.read(CONTROL, limit=1)
        return "ends at " + ", ".join(counts)
    finally:
        await log.close()


async def _index(settings: Settings) -> str:
    index = open_index(settings)
    try:
        with suppress(IndexMissing):  # which only an engine that answers can tell
            await index.check(_NOBODY)
        return "answers"
    finally:
        await index.close()


async def _store(settings: Settings) -> str:
    store = open_store(settings)
    try:
        with suppress(KeyNotFound):
            await store.public_key(KeyName(_NOBODY, 0, Algorithm.ES256))
        return "answers, and its key fits"
    finally:
        await store.close()
