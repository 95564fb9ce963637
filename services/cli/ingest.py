"""`tenantry ingest`: events from files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress

from services.bootstrap import work
from services.cli.app import Json
from services.cli.output import out, plural, print_json, progress_bar
from services.engines import open_index, open_log
from services.errors import AlreadyRunning
from services.events.file_ingest import Ingested, Outcome, append_lines, opened, outcome, wait
from services.settings import Settings
from streams.event_log import EventLog
from streams.scope import check_tenant_id
from streams.sources import registry

_PATIENCE_SECONDS: Final = 10.0
DEAD_LETTERS: Final = 3
"""The exit code when all is in the log, but some of it only as dead letters."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(ingest)


def ingest(
    files: Annotated[list[str], typer.Argument(help="NDJSON files, plain or gzip; - reads the standard input.", metavar="FILE...")],
    source: Annotated[
        str | None, typer.Option(help=f"The events' format: {', '.join(sorted(registry.SOURCES))}. By default, by content.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose events they are, where they do not say it themselves.")] = None,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Return when all of it can be found, and say what became of it.")] = False,
    json: Json = False,
) -> None:
    """Appends events to the log, one a line. Doing it again is safe: an event with an id of its own is indexed once.

    It writes to the event log of the settings itself, whether a service is running on it or not. With --wait and no service, it also routes
    and indexes; its exit code is 3 if some of the events have become dead letters.
    """
    if source is not None:
        registry.named(source)
    if tenant is not None:
        check_tenant_id(tenant)
    appended, result = asyncio.run(_ingest(files, source, tenant, wait_for_it))
    events = f"{appended.lines} {plural(appended.lines, 'event')}"
    if json:
        print_json({"appended": appended.lines, **(asdict(result) if result else {})})
    elif result is None:
        out.print(f"{events} appended")
    else:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(result.dead_letters.items()))
        dead = f"{result.dead} dead-lettered" + (f" ({reasons})" if reasons else "")
        out.print(f"{events}: {result.indexed} indexed, {result.duplicates} duplicate, {dead}")
    if result is not None and result.dead:
        raise typer.Exit(DEAD_LETTERS)


async def _ingest(files: list[str], source: str | None, tenant: str | None, wait_for_it: bool) -> tuple[Ingested, Outcome | None]:
    settings = Settings()
    log = await open_log(settings)
    try:
        with progress_bar() as bar:
            appended = await _append(log, files, source, tenant, bar)
            if not wait_for_it:
                return appended, None
            return appended, await _wait(settings, log, appended, bar)
    finally:
        await log.close()


async def _append(log: EventLog, files: list[str], source: str | None, tenant: str | None, bar: Progress) -> Ingested:
    task = bar.add_task("appending", total=_size(files))
    return await append_lines(log, _lines(files), source=source, tenant=tenant, progress=lambda done: bar.advance(task, done))


def _size(files: list[str]) -> int | None:
    """How many bytes there are to read, if that can be told."""
    paths = [Path(file) for file in files if file != "-"]
    plain = len(paths) == len(files) and all(path.is_file() and path.suffix != ".gz" for path in paths)
    return sum(path.stat().st_size for path in paths) if plain else None


def _lines(files: list[str]) -> Iterator[bytes]:
    for file in files:
        with opened(file) as lines:
            yield from lines


async def _wait(settings: Settings, log: EventLog, appended: Ingested, bar: Progress) -> Outcome:
    task = bar.add_task("indexing", total=None)
    patience = time.monotonic() + _PATIENCE_SECONDS
    said = False

    def progress(done: int, total: int) -> None:
        nonlocal said
        bar.update(task, completed=done, total=total or 1)
        if not said and time.monotonic() > patience:
            said = True
            bar.console.print("All events are in the log, and wait to be routed and indexed. Ctrl-C loses none of them.")

    try:
        # Nobody serves this directory, or any number may process: do the work here, too.
        async with work(settings, log) as worker:
            await wait(log, appended, progress)
            return await outcome(log, worker.index, appended)
    except AlreadyRunning:
        index = open_index(settings)
        try:
            await wait(log, appended, progress)
            return await outcome(log, index, appended)
        finally:
            await index.close()
