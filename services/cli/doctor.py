"""`tenantry doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import asyncio
import difflib
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import typer

from services.answering import PATIENCE_SECONDS, index_answers, store_answers
from services.backup.places import Places
from services.cli.app import Json
from services.cli.output import out, print_json
from services.engines import open_index, open_log, open_store
from services.errors import SettingsError
from services.settings import Settings
from streams.event_log import CONTROL, STREAMS

_PREFIX: Final = "TENANTRY_"
_LOW_BYTES: Final = 1 << 30


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
    places = Places.of(settings)
    return [
        await _check("settings", _known),
        await _check("data directory", lambda: _data(settings, places)),
        await _engine("event log", settings.log_url, places.log, lambda: _log(settings)),
        await _engine("search index", settings.index_url, places.index, lambda: _index(settings)),
        await _engine("key store", settings.keys_url, places.keys, lambda: _store(settings, places)),
    ]


async def _engine(name: str, url: str, embedded: Path | None, look: Callable[[], Awaitable[str]]) -> tuple[str, bool, str]:
    """What the engine says, with where it is. An embedded one that is not there yet is not made by looking for it."""
    if _to_come(embedded):
        return name, True, f"{embedded} is not there yet; `tenantry serve` makes it"
    _, ok, detail = await _check(name, look)
    parts = urlsplit(url)
    where = str(embedded) if embedded is not None else f"{parts.scheme} at {parts.netloc.rpartition('@')[2]}{parts.path}"
    return name, ok, f"{where}: {detail}" if ok else detail


def _to_come(embedded: Path | None) -> bool:
    return embedded is not None and not embedded.exists()


async def _check(name: str, look: Callable[[], Awaitable[str]]) -> tuple[str, bool, str]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return name, True, await look()
    except TimeoutError:
        return name, False, f"it does not answer within {PATIENCE_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 -- whatever is wrong is a finding
        return name, False, str(error)


async def _known() -> str:
    """Variables that are no settings, which nothing else would tell of."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    given = [name for name in os.environ if name.startswith(_PREFIX)]
    for name in given:
        if name not in known:
            meant = "; ".join(f"did you mean {like}?" for like in difflib.get_close_matches(name, known, n=1))
            raise SettingsError(f"{name} is none; {meant or 'see docs/settings.md'}")
    return ", ".join(sorted(given)) or "the defaults"


async def _data(settings: Settings, places: Places) -> str:
    if not settings.data.is_dir():
        if places.log is places.index is places.keys is None:
            return f"{settings.data} is not there yet; `tenantry serve` makes it for the operator's token"
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
        await index_answers(index)
        return "answers"
    finally:
        await index.close()


async def _store(settings: Settings, places: Places) -> str:
    store = open_store(settings)
    try:
        await store_answers(store)
        return "answers" if places.keys is None else "answers, and its master key fits"
    finally:
        await store.close()
