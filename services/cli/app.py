"""The root of the commands, and the options that all share."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="tenantry",
    help="A tenant log and key service for multitenant identity platforms. Settings are environment variables TENANTRY_*.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Tenant = Annotated[str, typer.Argument(help="The tenant's id.")]
Q = Annotated[str, typer.Argument(help="What to find, in Lucene syntax; empty: everything.")]
Since = Annotated[str, typer.Option(help="From this time on: ISO 8601 with a zone, or as now-1h.")]
Until = Annotated[str, typer.Option(help="Before this time.")]
