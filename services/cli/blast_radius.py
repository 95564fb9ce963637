"""`tenantry keys blast-radius`: who is affected if a key is bad, before it is reported and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from services.cli.app import ANY_KID, Json, Tenant
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.settings import Settings

_CLIENTS: Final = 10
"""That are shown; `--json` has all that are known by name."""
_ACCEPTS: Final = {"until_restarted": "until it is restarted", "unknown": "nobody knows", "no_more": "no more"}


def register(keys: typer.Typer) -> None:
    """Adds the command."""
    keys.command("blast-radius", context_settings=ANY_KID)(blast_radius)


def blast_radius(tenant: Tenant, kid: Annotated[str, typer.Argument(help="The key's id.")], json: Json = False) -> None:
    """Says what a key has signed, and for how long its tokens may be accepted if it is reported as compromised. Changes nothing."""
    answer = Client(Settings()).ask("GET", path_of(tenant, "keys", kid, "blast-radius"))
    if json:
        print_json(answer)
    else:
        show(answer)


def show(answer: Mapping[str, Any]) -> None:
    """Prints the blast radius as the API has it."""
    for sentence in answer["summary"]:
        out.print(printable(sentence), soft_wrap=True)
    usage = answer["usage"]
    if usage is not None and usage["clients"]:
        rows = [[client["id"], f"{client['signatures']:,}"] for client in usage["clients"][:_CLIENTS]]
        hidden = sum(client["signatures"] for client in usage["clients"][_CLIENTS:]) + usage["other_clients"]
        rows += [["(others)", f"{hidden:,}"]] if hidden else []
        rows += [["(none named)", f"{usage['without_client']:,}"]] if usage["without_client"] else []
        out.print()
        print_table(("client", "tokens"), rows)
    if answer["relying_parties"]:
        out.print()
        print_table(("relying party", "contact", "accepts it", "refuses good tokens"), [_row(party) for party in answer["relying_parties"]])
    for party in answer["relying_parties"]:
        if party["accepts"] != "no_more":
            out.print(printable(f"{party['name']}: {' '.join((party['because'], *party['advice'][:1]))}"), soft_wrap=True)


def _row(party: Mapping[str, Any]) -> list[str]:
    accepts = _ACCEPTS.get(party["accepts"]) or f"until {party['accepts_until']}"
    refuses = {None: "nobody knows" if party["accepts"] == "unknown" else "until it is restarted", "PT0S": ""}
    return [party["name"], party["contact"] or "", accepts, refuses.get(party["refuses_for"], f"for {party['refuses_for']}")]
