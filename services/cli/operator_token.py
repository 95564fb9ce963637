"""`tenantry operator-token`: a new one, for when the old one was lost or got about."""

from __future__ import annotations

import asyncio

import typer

from services.access.operator import replace_operator
from services.access.tokens import Tokens
from services.cli.app import Json
from services.cli.output import out, print_json
from services.engines import make_data, open_log
from services.errors import Invalid
from services.parts import now_ms
from services.settings import Settings
from streams.control_log import ControlLog


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("operator-token")(operator_token)


def operator_token(json: Json = False) -> None:
    """Makes a new operator's token and revokes the old ones, while the service runs or not. No token is needed: the log is.

    The token is written to operator.token in the data directory, mode 0600, and not shown.
    """
    settings = Settings()
    identifier = asyncio.run(_replace(settings))
    if json:
        print_json({"id": identifier, "file": str(settings.operator_token_file)})
    else:
        out.print(f"the operator's new token is in {settings.operator_token_file}; older ones are revoked", soft_wrap=True)


async def _replace(settings: Settings) -> str:
    make_data(settings)
    log = await open_log(settings)
    tokens = Tokens()
    control = ControlLog(log, (tokens,))
    try:
        await control.start()
        if not tokens.of(None):
            raise Invalid("this log has never had an operator; start the service once, and it makes a token")
        return (await replace_operator(control, tokens, settings.operator_token_file, now_ms())).id
    finally:
        await control.stop()
        await log.close()
