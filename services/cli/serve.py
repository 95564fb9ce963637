"""`tenantry serve`: everything in one process."""

from __future__ import annotations

import typer

from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(serve)


def serve() -> None:
    """Runs the service: API, console, router, processors and scheduler, until it is interrupted."""
    from services.server import run  # noqa: PLC0415 -- the web framework is half of what a command's start takes, and only this one needs it

    run(Settings())
