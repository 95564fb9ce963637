"""`tenantry replay`: dead letters back into the stream, and indexes built anew from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.backup.places import Places
from services.bootstrap import work
from services.cli.app import Json
from services.cli.client import Client, path_of
from services.cli.output import out, plural, print_json, printable, progress_bar
from services.engines import alone, log_to_come, open_log
from services.errors import AlreadyRunning, Invalid, NotFound, ServiceError
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
    everything: Annotated[
        bool, typer.Option("--all", help="Build every tenant's index anew, one after another, as when OpenSearch was lost.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which dead letters there are.")] = False,
    json: Json = False,
) -> None:
    """Does again what the log allows to do again. Nothing is lost or doubled by it."""
    if [dead_letters, tenant is not None, everything].count(True) != 1:
        raise Invalid("say what to replay: --dead-letters (with --dry-run: only say which there are), --tenant TENANT, or --all")
    if dry_run and not dead_letters:
        raise Invalid("--dry-run is for --dead-letters: an index that is built anew is searched as it was until it is whole")
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
        for built, events in _rebuilt(check_tenant_id(tenant) if tenant is not None else None):
            if json:
                print_json({"tenant": built, "events": events})
            else:
                out.print(f"{built}: index built anew with {events} {plural(events, 'event')}")


def _say(reasons: dict[str, Waiting], done: Revived | None) -> None:
    for reason, found in sorted(reasons.items()):
        out.print(printable(f"{found.count:8} {reason}: {found.message}"), soft_wrap=True)
    if done is None:
        count = sum(found.count for found in reasons.values())
        out.print(f"{count} dead {plural(count, 'letter')}")
        return
    out.print(
        f"{done.revived} dead {plural(done.revived, 'letter')} sent to the router again; what it still can't place is a dead letter anew",
        soft_wrap=True,
    )
    if done.cut:
        out.print(f"{done.cut} left: only the beginning of each is here; its message says where the whole was")
    if done.kept:
        out.print(f"{done.kept} left: their events are in the log, and an index refused them; see tenantry replay --tenant")


async def _dead_letters(dry_run: bool) -> tuple[dict[str, Waiting], Revived | None]:
    settings = Settings()
    if (missing := _missing_log(settings)) is not None:
        raise NotFound(f"there is no log at {missing}; set TENANTRY_DATA to the service's data directory")
    if await log_to_come(settings) is not None:  # how its topics are made is not for this command to decide
        raise NotFound(
            "the log that TENANTRY_LOG_URL names is not there, or not whole: check its prefix; where it is right, start the service first"
        )
    log = await open_log(settings)
    try:
        reasons = await waiting(log)
        return reasons, None if dry_run else await revive(log)
    finally:
        await log.close()


def _rebuilt(tenant: str | None) -> Iterator[tuple[str, int]]:
    """Builds the tenant's index anew, or everybody's: each with how many events it has."""
    settings = Settings()
    # A log that happens to be in the data directory here is not that service's; and OpenSearch's indexes are built by any service.
    if settings.url or not alone(settings):
        yield from _rebuilt_by_the_service(Client(settings), tenant)
        return
    if (missing := _missing_log(settings)) is not None:
        raise NotFound(f"there is no log at {missing}; set TENANTRY_DATA to the data directory, or TENANTRY_URL to a service that runs")
    try:
        yield from asyncio.run(_rebuilt_here(settings, tenant))
    except AlreadyRunning:  # an embedded index has one writing process, and it does it
        yield from _rebuilt_by_the_service(Client(settings), tenant)


def _missing_log(settings: Settings) -> Path | None:
    """Where the log would be, if it is to be a file here and is none: an empty one must not be made for being replayed."""
    path = Places.of(settings).log
    return path if path is not None and not path.exists() else None


def _rebuilt_by_the_service(client: Client, tenant: str | None) -> Iterator[tuple[str, int]]:
    if tenant is not None:
        yield tenant, _ask(client, tenant)
        return
    refused: list[str] = []
    for one in [found["id"] for found in client.pages("/v1/tenants", {"limit": 1000}, name="tenants", most=None)]:
        try:
            yield one, _ask(client, one)
        except ServiceError as error:  # as for one that a worker builds anew already: the others are done nevertheless
            refused.append(f"{one}: {error}")
    if refused:
        raise ServiceError("not everybody's index was built anew here. " + "; ".join(refused)) from None


def _ask(client: Client, tenant: str) -> int:
    with progress_bar() as bar:
        bar.add_task(f"the service is indexing {tenant}", total=None)
        return int(client.ask("POST", path_of(tenant, "events", "rebuild"), json={}, seconds=None)["events"])


async def _rebuilt_here(settings: Settings, tenant: str | None) -> list[tuple[str, int]]:
    log = await open_log(settings)
    try:
        async with work(settings, log) as worker:
            if tenant is not None and not worker.tenants.exists(tenant):
                raise NotFound(f"there is no tenant {tenant!r}")
            done: list[tuple[str, int]] = []
            with progress_bar() as bar:
                for one in [tenant] if tenant is not None else [found.id for found in worker.tenants.all()]:
                    task = bar.add_task(f"indexing {one}", total=None)
                    progress = partial(bar.update, task)
                    done.append((one, await worker.catch_up.rebuild(TenantScope(one), lambda count: progress(completed=count))))  # noqa: B023
            return done
    finally:
        await log.close()
