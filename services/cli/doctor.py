"""`tenantry doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import typer

from services.answering import index_answers, store_answers
from services.backup.places import Places
from services.cli.app import Json
from services.cli.output import out, print_json
from services.engines import log_to_come, open_index, open_log, open_store
from services.overview.health import Finding, data_directory, find, known_settings, log_ends, place
from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Checks the settings and each engine, and says what to mend. Exit code 1 if anything is wrong."""
    findings = asyncio.run(_examine(Settings()))
    if json:
        print_json([{"check": found.check, "ok": found.ok, "detail": _detail(found)} for found in findings])
    else:
        for found in findings:
            out.print(f"{'ok  ' if found.ok else 'BAD '} {found.check}: {_detail(found)}", soft_wrap=True)
    if not all(found.ok for found in findings):
        raise typer.Exit(1)


def _detail(found: Finding) -> str:
    return f"{found.where}: {found.detail}" if found.ok and found.where else found.detail


async def _examine(settings: Settings) -> list[Finding]:
    places = Places.of(settings)
    return [
        await find("settings", known_settings),
        await find("data directory", lambda: data_directory(settings, places)),
        await _engine("event log", settings.log_url, places.log, lambda: _log(settings)),
        await _engine("search index", settings.index_url, places.index, lambda: _index(settings)),
        await _engine("key store", settings.keys_url, places.keys, lambda: _store(settings, places)),
    ]


async def _engine(name: str, url: str, embedded: Path | None, look: Callable[[], Awaitable[str]]) -> Finding:
    """What the engine says, with where it is. An embedded one that is not there yet is not made by looking for it."""
    if _to_come(embedded):
        return Finding(name, ok=True, detail=f"{embedded} is not there yet; `tenantry serve` makes it")
    return await find(name, look, where=place(url, embedded))


def _to_come(embedded: Path | None) -> bool:
    return embedded is not None and not embedded.exists()


async def _log(settings: Settings) -> str:
    if (to_come := await log_to_come(settings)) is not None:
        return to_come  # topics that are made stay as they are: who only looks must not decide how they are made
    log = await open_log(settings)
    try:
        return await log_ends(log)
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
