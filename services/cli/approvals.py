"""`tenantry keys approvals`, `approve` and `withdraw`: what takes a second person."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from services.cli.app import Json, Tenant
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.errors import Invalid
from services.settings import Settings

_COLUMNS: Final = ("id", "state", "command", "kid", "reason", "asked_by", "expires_at")
_Id = Annotated[str, typer.Argument(help="The approval's id.", metavar="ID")]


def register(keys: typer.Typer) -> None:
    """Adds the commands."""
    keys.command("approvals")(approvals)
    keys.command("approve")(approve)
    keys.command("withdraw")(withdraw)


def approvals(
    tenant: Tenant,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    json: Json = False,
) -> None:
    """Lists what waits for a second person."""
    client = Client(Settings())
    answer = client.ask("GET", path_of(tenant, "keys", "approvals"))
    found = [one for one in answer["approvals"] if everything or one["state"] == "pending"]
    if json:
        print_json({"approvals": found})
        return
    policy = client.ask("GET", path_of(tenant, "keys", "policy")) if any(one.get("policy") for one in found) else {}
    rows = [[str(one.get(column) or "") for column in _COLUMNS] + [_changes(policy, one.get("policy") or {})] for one in found]
    print_table((*_COLUMNS, "changes"), rows, shorten=("kid",))


def approve(tenant: Tenant, identifier: _Id, json: Json = False) -> None:
    """Approves, as a second person, what somebody else has asked for, and has it carried out."""
    _show(Client(Settings()).ask("POST", _path(tenant, identifier, "approve")), json)


def withdraw(
    tenant: Tenant,
    identifier: _Id,
    reason: Annotated[str, typer.Option(help="Why; for the log.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Takes back what waits for a second person, or refuses to approve it."""
    body = {"reason": reason} if reason else None
    _show(Client(Settings()).ask("POST", _path(tenant, identifier, "withdraw"), json=body), json)


def told_to_wait(tenant: str, answer: dict[str, Any]) -> str:
    """What is said to somebody whose command takes a second person."""
    return (
        f"Nothing was done yet: the policy of {tenant} wants a second person for this. Until {answer['expires_at']} somebody else can say: "
        f"tenantry keys approve {tenant} {answer['id']}"
    )


def _changes(policy: dict[str, Any], wanted: dict[str, Any]) -> str:
    """What of the policy would be another, so that nobody approves what they have not seen."""
    return ", ".join(f"{name}: {policy.get(name)} -> {value}" for name, value in wanted.items() if policy.get(name) != value)


def _path(tenant: str, identifier: str, what: str) -> str:
    if not identifier or set(identifier) & set("/?#%"):
        raise Invalid(f"{identifier!r} is not the id of an approval; tenantry keys approvals {tenant} lists them")
    return path_of(tenant, "keys", "approvals", identifier, what)


def _show(answer: dict[str, Any], json: bool) -> None:
    if json:
        print_json(answer)
        return
    for name, value in answer.items():
        out.print(printable(f"{name}: {value}"), soft_wrap=True)
