"""`tenantry search`, `tail` and `export`: questions to a running service."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.app import Json, Q, Since, Tenant, Until
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.settings import Settings

_COLUMNS = ("@timestamp", "event.action", "event.outcome", "user.name", "client.id", "source.ip", "event.reason")
_POLL_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(search)
    app.command()(tail)
    app.command()(export)


def search(
    tenant: Tenant,
    q: Q = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, help="How many events at most.")] = 20,
    sort: Annotated[str, typer.Option(help="newest or oldest first.")] = "newest",
    json: Json = False,
) -> None:
    """Searches a tenant's log."""
    params = {"q": q, "since": since, "until": until, "sort": sort, "limit": min(limit, 1000)}
    events = list(Client(Settings()).pages(path_of(tenant, "events"), params, name="events", most=limit))
    if json:
        print_json(events)
    else:
        print_table(_COLUMNS, [_row(event) for event in events])


def tail(
    tenant: Tenant,
    q: Q = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as events arrive.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, max=1000, help="Begin with the last so many events.")] = 10,
    json: Json = False,
) -> None:
    """Shows the last events of a tenant's log, and with -f those to come."""
    client = Client(Settings())
    path = path_of(tenant, "events")
    start = client.ask("GET", f"{path}/tail", params={"after": "latest", "q": q})["next"]
    if lines:
        last = client.ask("GET", path, params={"q": q, "limit": lines})["events"]
        for event in reversed(last):
            _print_event(event, json)
    while follow:
        page = client.ask("GET", f"{path}/tail", params={"after": start, "q": q, "limit": 1000})
        for event in page["events"]:
            _print_event(event, json)
        start = page["next"]
        if len(page["events"]) < 1000:
            time.sleep(_POLL_SECONDS)


def export(
    tenant: Tenant,
    q: Q = "",
    since: Since = "",
    until: Until = "",
) -> None:
    """Writes a tenant's events to the standard output, as NDJSON in the order of the log, of any length."""
    with Client(Settings()).stream(path_of(tenant, "events", "export"), {"q": q, "since": since, "until": until}) as parts:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()


def _row(event: Mapping[str, Any]) -> list[str]:
    return [str(event.get(column, "")) for column in _COLUMNS]


def _print_event(event: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(event)
    else:
        out.print(printable("  ".join(value for value in _row(event) if value)), soft_wrap=True)
