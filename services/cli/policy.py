"""`tenantry keys policy`: the rotation policy of a tenant, and what it may break."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.app import Json, Tenant
from services.cli.approvals import told_to_wait
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.errors import Invalid
from services.settings import Settings


def register(keys: typer.Typer) -> None:
    """Adds the command to those of keys."""
    keys.command("policy")(policy)


def policy(
    tenant: Tenant,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting to change, as --set publish_ahead=P2D, a list with commas; more than once for more."),
    ] = None,
    json: Json = False,
) -> None:
    """Shows the rotation policy, with warnings of what it can't keep and whom it may break; with --set, changes it first."""
    client, path = Client(Settings()), path_of(tenant, "keys", "policy")
    answer = client.ask("GET", path)
    if changes:
        answer = client.ask("PUT", path, json=answer | dict(_change(change) for change in changes))
    if json:
        print_json(answer)
        return
    if answer.get("outcome") == "pending":
        out.print(printable(told_to_wait(tenant, answer)), soft_wrap=True)
        return
    warnings = answer.pop("warnings", [])
    print_table(("setting", "value"), [[name, str(value)] for name, value in answer.items()])
    for warning in warnings:
        out.print(printable(f"warning: {warning}"), soft_wrap=True)


def _change(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise Invalid(f"--set takes NAME=VALUE, as publish_ahead=P2D, not {text!r}")
    if name == "dual_control":
        return name, [one for one in value.split(",") if one]
    return name, int(value) if value.isdecimal() and value.isascii() else value
