"""The root of the commands, and the options that all share."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from services.cli.client import Client
from services.errors import ServicesError
from services.settings import Settings

_COMPLETION_SECONDS: Final = 2.0
ANY_KID: Final[dict[str, Any]] = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
"""Of commands that take a key's id: one in 64 begins with `-`, and none is an option. (With `-h` an `h` in it would ask for help.)"""

app = typer.Typer(
    name="tenantry",
    help="A tenant log and key service for multitenant identity platforms. Settings are environment variables TENANTRY_*.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tenants(incomplete: str) -> list[str]:
    """The ids that begin so, for the shell's completion; none, if the service does not answer, or not to this token."""
    try:
        found = Client(Settings()).ask("GET", "/v1/tenants", params={"limit": 1000}, seconds=_COMPLETION_SECONDS)
    except (ServicesError, ValidationError):
        return []
    return [tenant["id"] for tenant in found["tenants"] if tenant["id"].startswith(incomplete)]


def examples(*lines: str) -> str:
    """The end of a command's help: command lines as one types them."""
    # \b keeps click from filling the lines up.
    return "\n".join(("\b", "Examples:", *(f"  tenantry {line}" for line in lines)))


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Tenant = Annotated[str, typer.Argument(help="The tenant's id.", autocompletion=_tenants)]
Q = Annotated[str, typer.Argument(help="What to find, in Lucene syntax; empty: everything.")]
Since = Annotated[str, typer.Option(help="From this time on: ISO 8601 with a zone, or as now-1h.")]
Until = Annotated[str, typer.Option(help="Before this time.")]
