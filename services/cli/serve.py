"""`tenantry serve`: everything in one process."""

from __future__ import annotations

import typer

from services.server import run
from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(serve)


def serve() -> None:
    """Runs the service: API, console, router, processors and scheduler, until it is interrupted."""
    run(Settings())
