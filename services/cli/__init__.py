"""The command line `tenantry`."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from keyvault.errors import KeyVaultError
from services.cli import (
    apply,
    ask,
    backup,
    dashboards,
    doctor,
    export,
    ingest,
    keys,
    master_key,
    operator_token,
    relying_parties,
    replay,
    serve,
    tenants,
    worker,
)
from services.cli.app import app
from services.cli.output import fail
from services.errors import ServicesError
from services.logs import configure
from streams.errors import StreamsError

__all__ = ["app", "main"]

for part in (
    serve,
    worker,
    ingest,
    ask,
    export,
    keys,
    relying_parties,
    tenants,
    apply,
    replay,
    backup,
    master_key,
    operator_token,
    doctor,
    dashboards,
):
    part.register(app)


def main() -> None:
    """Runs the command; errors that a user can mend are one line on the standard error, and exit code 1."""
    configure()
    try:
        app()
    except (ServicesError, StreamsError, KeyVaultError) as error:
        sys.exit(fail(str(error)))
    except ValidationError as error:  # of the settings: nothing else is validated here; the value may be a secret, so it is not shown
        told = [(".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")) for item in error.errors()]
        sys.exit(fail("; ".join(f"TENANTRY_{name.upper()}: {what}" for name, what in told)))
    except KeyboardInterrupt:
        sys.exit(130)
