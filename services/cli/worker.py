"""`tenantry worker`: routes and indexes, beside any number of others."""

from __future__ import annotations

import typer

from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(worker)


def worker() -> None:
    """Routes and indexes from Kafka until it is interrupted; start as many as there is work, on any machine.

    Needs TENANTRY_LOG_URL=kafka://… and TENANTRY_INDEX_URL=opensearch://….
    """
    from services.worker.main import run  # noqa: PLC0415 -- Faust takes a second to import

    run(Settings())
