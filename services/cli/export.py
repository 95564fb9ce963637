"""`tenantry export`: a tenant's events in a file."""

from __future__ import annotations

import sys

import typer

from services.cli.app import Q, Since, Tenant, Until
from services.cli.client import Client, path_of
from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(export)


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
