"""`tenantry relying-parties`: who verifies a tenant's tokens, and whether they are ready for the next key."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.app import Json, Tenant
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.settings import Settings

parties = typer.Typer(help="Registers a tenant's relying parties, and says whether they survive a rotation.", no_args_is_help=True)
Party = Annotated[str, typer.Argument(help="The relying party's id.")]
Library = Annotated[str | None, typer.Option(help="By which it fetches the JWKS, as jose, spring, dotnet; a wrong one lists them.")]
CachedFor = Annotated[str | None, typer.Option(help="How long it keeps a JWKS, as PT1H, if not for what its library does.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(parties, name="relying-parties")


@parties.command("list")
def list_(tenant: Tenant, json: Json = False) -> None:
    """Lists the relying parties, and where each stands with the standby key."""
    client = Client(Settings())
    found = client.ask("GET", path_of(tenant, "relying-parties"))["relying_parties"]
    keys = client.ask("GET", path_of(tenant, "keys"))["keys"]
    standby = next((key["kid"] for key in keys if key["state"] == "pre-activation"), None)
    stands: dict[str, Any] = {}
    if standby is not None:
        answer = client.ask("GET", path_of(tenant, "keys", standby, "readiness"))
        stands = {one["id"]: one for one in answer["relying_parties"]}
    if json:
        print_json([party | {"standby": stands.get(party["id"])} for party in found])
        return
    columns = ("id", "name", "contact", "library", "cached_for", "jwks_uri", "fetched_at", "sure_at")
    rows = [[_cell(party | stands.get(party["id"], {}), column) for column in columns] for party in found]
    less = ("jwks_uri", "contact", "cached_for", "library", "fetched_at")
    print_table(columns, rows, shorten=("name", "contact", "jwks_uri"), drop=less)
    if standby is not None:
        out.print(printable(f"The standby {standby} is safe to activate from {answer['safe_at']} on."), soft_wrap=True)


@parties.command()
def put(
    tenant: Tenant,
    party: Party,
    name: Annotated[str, typer.Option(help="What people call it.")],
    contact: Annotated[str | None, typer.Option(help="Whom to ask when it breaks.")] = None,
    library: Library = None,
    cached_for: CachedFor = None,
    own_url: Annotated[
        bool, typer.Option("--own-url", help="It fetches its JWKS from a URL of its own, so that its fetches are known.")
    ] = False,
    webhook: Annotated[str | None, typer.Option(help="Where it is told of the tenant's keys.")] = None,
    json: Json = False,
) -> None:
    """Registers a relying party, or changes it: rotations wait for it."""
    given = {"name": name, "contact": contact, "library": library, "cached_for": cached_for, "webhook": webhook}
    body = {key: value for key, value in given.items() if value is not None} | {"own_url": own_url}
    answer = Client(Settings()).ask("PUT", path_of(tenant, "relying-parties", party), json=body)
    if json:
        print_json(answer)
    else:
        out.print(printable(f"{answer['id']}: {answer['name']}, fetches {answer['jwks_uri']}"), soft_wrap=True)


@parties.command()
def remove(tenant: Tenant, party: Party, json: Json = False) -> None:
    """Removes a relying party: no rotation waits for it any more."""
    Client(Settings()).ask("DELETE", path_of(tenant, "relying-parties", party))
    if json:
        print_json({"id": party, "removed": True})
        return
    out.print(printable(f"{party}: removed"))


@parties.command()
def check(
    tenant: Tenant,
    party: Party,
    library: Library = None,
    cached_for: CachedFor = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="What it fetched never expires.")] = False,
    refetches: Annotated[
        bool | None, typer.Option("--refetches/--no-refetches", help="It fetches when a token names a kid that it does not have.")
    ] = None,
    cooldown: Annotated[str | None, typer.Option(help="The least time between two such fetches, as PT30S.")] = None,
    json: Json = False,
) -> None:
    """Says in plain words whether it survives a rotation and an emergency, as it is or with other settings."""
    given = {"library": library, "cached_for": cached_for, "refetches": refetches, "cooldown": cooldown}
    body = {key: value for key, value in given.items() if value is not None} | ({"never_expires": True} if never_expires else {})
    answer = Client(Settings()).ask("POST", path_of(tenant, "relying-parties", party, "check"), json=body)
    if json:
        print_json(answer)
        return
    for finding in answer["findings"]:
        out.print(printable(finding), soft_wrap=True)
    for advice in answer["advice"]:
        out.print(printable(f"- {advice}"), soft_wrap=True)


def _cell(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)
