"""`tenantry tenants`: what an operator does with tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.app import Json, Tenant, examples
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.errors import Invalid
from services.settings import Settings

tenants = typer.Typer(help="Lists, creates and deletes tenants.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(tenants, name="tenants")


@tenants.command("list", epilog=examples("tenants list", "tenants list --json | jq -r '.[].id'"))
def list_(json: Json = False) -> None:
    """Lists the tenants."""
    found = list(Client(Settings()).pages("/v1/tenants", {"limit": 1000}, name="tenants", most=None))
    if json:
        print_json(found)
        return
    rows = [[one["id"], one["display_name"], one["issuer"], ", ".join(_source(source) for source in one["sources"])] for one in found]
    print_table(("id", "name", "issuer", "sources"), rows, shorten=("name", "issuer", "sources"), drop=("issuer",))


@tenants.command(
    epilog=examples(
        "tenants put acme --name Acme",
        "tenants put acme --name Acme --source keycloak:realm_id=11111111-2222-3333-4444-555555555555,realm=acme",
    )
)
def put(
    tenant: Tenant,
    display_name: Annotated[str, typer.Option("--name", help="What people call it.")],
    source: Annotated[
        list[str] | None, typer.Option(help="A source of its events, as keycloak:realm_id=UUID,realm=NAME. Several: repeat the option.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="The iss of its tokens; by default under the public URL.")] = None,
    json: Json = False,
) -> None:
    """Creates a tenant, or changes it. Without --source its sources stay as they are."""
    body = {
        "display_name": display_name,
        **({"sources": [_parse(text) for text in source]} if source is not None else {}),
        **({"issuer": issuer} if issuer is not None else {}),
    }
    answer = Client(Settings()).ask("PUT", path_of(tenant), json=body)
    if json:
        print_json(answer)
    else:
        out.print(printable(f"{answer['id']}: {answer['display_name']}, JWKS at {answer['jwks_uri']}"), soft_wrap=True)


@tenants.command()
def delete(
    tenant: Tenant,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Deletes a tenant: its tokens end, its JWKS and index go, its events stay in the log, its id is never used again."""
    client = Client(Settings())
    if not yes:
        found = client.ask("GET", path_of(tenant))
        typer.confirm(f"Delete tenant {tenant} ({printable(found['display_name'])})?", abort=True)
    client.ask("DELETE", path_of(tenant))
    if json:
        print_json({"id": tenant, "deleted": True})
        return
    out.print(f"{tenant}: deleted; its events stay in the log, and its id is never used again")


@tenants.command(epilog=examples("tenants domains acme", "tenants domains acme id.acme.example", "tenants domains acme --none"))
def domains(
    tenant: Tenant,
    domain: Annotated[list[str] | None, typer.Argument(help="All its domains, from now on. None: only shows them.")] = None,
    none: Annotated[bool, typer.Option("--none", help="It is to have none any more.")] = False,
    json: Json = False,
) -> None:
    """Shows or sets a tenant's own domains, under which its JWKS and metadata are answered without /t/TENANT."""
    if domain and none:
        raise Invalid("say either which domains, or --none")
    client, path = Client(Settings()), f"{path_of(tenant)}/domains"
    answer = client.ask("PUT", path, json={"domains": domain or []}) if domain or none else client.ask("GET", path)
    if json:
        print_json(answer["domains"])
    else:
        out.print(printable("\n".join(answer["domains"]) or f"{tenant} has no domain of its own"), soft_wrap=True)


def _source(source: dict[str, str]) -> str:
    return source["provider"] + ":" + ",".join(f"{kind}={value}" for kind, value in source.items() if kind != "provider")


def _parse(text: str) -> dict[str, str]:
    provider, _, rest = text.partition(":")
    source = {"provider": provider}
    for part in filter(None, rest.split(",")):
        kind, equals, value = part.partition("=")
        if not equals:
            raise Invalid(f"--source {text!r}: {part!r} is not KIND=VALUE, as keycloak:realm_id=UUID,realm=NAME")
        source[kind] = value
    return source
