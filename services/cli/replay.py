"""`tenantry replay`: dead letters back into the stream, and indexes built anew from the log."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from services.bootstrap import work
from services.cli.app import Json
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, printable, progress_bar
from services.engines import open_log
from services.errors import AlreadyRunning, Invalid, NotFound
from services.events.revival import Revived, Waiting, revive, waiting
from services.settings import Settings
from streams.scope import TenantScope, check_tenant_id


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(replay)


def replay(
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Route the dead letters anew, once what they lacked is there.")
    ] = False,
    tenant: Annotated[str | None, typer.Option(help="Build this tenant's index anew from the log, while searches go on.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which dead letters there are.")] = False,
    json: Json = False,
) -> None:
    """Does again what the log allows to do again. Nothing is lost or doubled by it."""
    if dead_letters == (tenant is not None):
        raise Invalid("say what to replay: --dead-letters, or --tenant TENANT")
    if dead_letters:
        reasons, done = asyncio.run(_dead_letters(dry_run))
        if json:
            counts = {reason: found.count for reason, found in reasons.items()}
            messages = {reason: found.message for reason, found in reasons.items()}
            revived, kept = (done.revived, done.kept) if done else (0, 0)
            print_json({"reasons": counts, "messages": messages, "revived": revived, "kept": kept})
        else:
            _say(reasons, done)
    else:
        assert tenant is not None
        events = _rebuild(check_tenant_id(tenant))
        if json:
            print_json({"tenant": tenant, "events": events})
        else:
            out.print(f"{tenant}: index built anew with {events} events")


def _say(reasons: dict[str, Waiting], done: Revived | None) -> None:
    for reason, found in sorted(reasons.items()):
        out.print(printable(f"{found.count:8} {reason}: {found.message}"), soft_wrap=True)
    if done is None:
        out.print(f"{sum(found.count for found in reasons.values())} dead letters")
        return
    out.print(f"{done.revived} dead letters sent to the router again; those that it still can't place are dead letters anew")
    if done.kept:
        out.print(f"{done.kept} left: their events are in the log, and an index refused them; see tenantry replay --tenant")


async def _dead_letters(dry_run: bool) -> tuple[dict[str, Waiting], Revived | None]:
    log = await open_log(Settings())
    try:
        reasons = await waiting(log)
        return reasons, None if dry_run else await revive(log)
    finally:
        await log.close()


def _rebuild(tenant: str) -> int:
    settings = Settings()
    try:
        return asyncio.run(_rebuild_here(settings, tenant))
    except AlreadyRunning:
        # An index has one writing process; the one that serves does it.
        events: int = Client(settings).ask("POST", path_of(tenant, "events", "rebuild"), json={})["events"]
        return events


async def _rebuild_here(settings: Settings, tenant: str) -> int:
    log = await open_log(settings)
    try:
        async with work(settings, log) as worker:
            if not worker.tenants.exists(tenant):
                raise NotFound(f"there is no tenant {tenant!r}")
            with progress_bar() as bar:
                task = bar.add_task(f"indexing {tenant}", total=None)
                return await worker.catch_up.rebuild(TenantScope(tenant), lambda done: bar.update(task, completed=done))
    finally:
        await log.close()
