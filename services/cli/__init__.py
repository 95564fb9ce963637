"""The command line `tenantry`."""

from __future__ import annotations

import sys

from services.cli import apply, ask, doctor, ingest, keys, replay, serve, tenants
from services.cli.app import app
from services.cli.output import fail
from services.errors import ServicesError
from streams.errors import StreamsError

__all__ = ["app", "main"]

for part in (serve, ingest, ask, keys, tenants, apply, replay, doctor):
    part.register(app)


def main() -> None:
    """Runs the command; errors that a user can mend are one line on the standard error, and exit code 1."""
    try:
        app()
    except (ServicesError, StreamsError) as error:
        sys.exit(fail(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)
