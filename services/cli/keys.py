"""`tenantry keys`: a tenant's key ring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli import approvals, blast_radius, imports, policy, waves
from services.cli.app import ANY_KID, Json, Tenant, examples
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.errors import Invalid
from services.settings import Settings

keys = typer.Typer(help="Lists, rotates and revokes a tenant's signing keys.", no_args_is_help=True)
_COLUMNS: Final = ("kid", "algorithm", "state", "published_at", "signs_from", "publish_until")
Kid = Annotated[str, typer.Argument(help="The key's id.")]
Reason = Annotated[str, typer.Option(help="Why; for the log.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(keys, name="keys")
    policy.register(keys)
    waves.register(keys)
    blast_radius.register(keys)
    imports.register(keys)
    approvals.register(keys)


@keys.command(
    "list", epilog=examples("keys list globex", "keys list globex --json | jq -r '.keys[] | select(.state == \"active\") | .kid'")
)
def list_(tenant: Tenant, json: Json = False) -> None:
    """Lists the keys with their states and times. signs_from of a standby is when it takes over by itself."""
    answer = Client(Settings()).ask("GET", path_of(tenant, "keys"))
    if json:
        print_json(answer)
        return
    rows = [[str(key.get(column) or "") for column in _COLUMNS] for key in map(_with_signs_from, answer["keys"])]
    print_table(_COLUMNS, rows, shorten=("kid",), drop=("published_at", "algorithm", "publish_until"))
    for key in answer["keys"]:
        if "ready_at" in key:
            out.print(printable(f"The standby {key['kid']} is safe to activate from {key['ready_at']} on."), soft_wrap=True)


@keys.command(
    epilog=examples(
        "keys rotate globex",
        "keys rotate globex --activate --reason 'a laptop was stolen'",
        "keys rotate --all --wave 500/h --reason 'yearly rotation'",
    )
)
def rotate(
    tenant: Annotated[str | None, typer.Argument(help="The tenant's id; or --all, or --tenants, with --wave.", show_default=False)] = None,
    activate: Annotated[bool, typer.Option("--activate", help="At once, whoever has not seen the new key yet. Needs --reason.")] = False,
    reason: Reason = "",
    everybody: Annotated[bool, typer.Option("--all", help="Every tenant, in a wave.")] = False,
    tenants: Annotated[Path | None, typer.Option(help="A file with the tenants of the wave, one id a line.", show_default=False)] = None,
    wave: Annotated[str, typer.Option(help="How fast a wave goes, as 500/h: per s, min, h or d.")] = "",
    jitter: Annotated[float, typer.Option(min=0, max=1, help="The part of its slot that each turn of a wave may move by.")] = 0.5,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch a wave until it has ended; Ctrl-C leaves it running.")] = True,
    json: Json = False,
) -> None:
    """Prepares a successor of the active key, or activates the one that is due; with --all --wave, of every tenant by and by."""
    if [tenant is not None, everybody, tenants is not None].count(True) != 1:
        raise Invalid("say whose keys to rotate: TENANT, --all --wave RATE, or --tenants FILE --wave RATE")
    if tenant is None:
        if not wave:
            raise Invalid("many tenants at once need --wave RATE, as --wave 500/h: all in one moment would be everybody's risk at once")
        if activate:
            raise Invalid("a wave waits for each tenant's relying parties, so it goes without --activate")
        waves.begin(wave, jitter, reason, tenants, wait=wait, json=json)
        return
    if wave:
        raise Invalid("--wave goes with --all or --tenants")
    if activate and not reason:
        raise Invalid("--activate may break relying parties that have not seen the new key yet, so it needs --reason, for the log")
    body: dict[str, Any] = {"activate": True, "reason": reason} if activate else {}
    _show(Client(Settings()).ask("POST", path_of(tenant, "keys", "rotate"), json=body), tenant, json)


@keys.command("activate", context_settings=ANY_KID)
def activate_(
    tenant: Tenant,
    kid: Kid,
    reason: Annotated[str, typer.Option(help="Why it can't wait until it is due; for the log.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Lets a standby key sign, once it is due; before, with a reason, and then the answer says whom that may break."""
    body = {"reason": reason} if reason else None
    _show(Client(Settings()).ask("POST", path_of(tenant, "keys", kid, "activate"), json=body), tenant, json)


@keys.command(context_settings=ANY_KID)
def compromise(tenant: Tenant, kid: Kid, reason: Reason, json: Json = False) -> None:
    """Takes a key out of the JWKS at once: tokens that it signed are no longer accepted. Says who may still accept them, and until when."""
    answer = Client(Settings()).ask("POST", path_of(tenant, "keys", kid, "compromise"), json={"reason": reason})
    radius = None if json else answer.pop("blast_radius", None)
    _show(answer, tenant, json)
    if radius is not None:
        out.print()
        blast_radius.show(radius)


@keys.command(context_settings=ANY_KID)
def destroy(tenant: Tenant, kid: Kid, json: Json = False) -> None:
    """Has the key store forget a key's private half, for good: of a key that was compromised, or whose last token has expired."""
    _show(Client(Settings()).ask("POST", path_of(tenant, "keys", kid, "destroy")), tenant, json)


def _with_signs_from(key: dict[str, Any]) -> dict[str, Any]:
    """The key, with when it began to sign; of a standby, when it will by itself."""
    return key | {"signs_from": key.get("activated_at") or key.get("activates_at")}


def _lines(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is said of an answer: a key of it is named by its state, so that nobody has to guess which one it is."""
    state = answer["state"].replace("pre-activation", "standby") if "ordinal" in answer else None
    for name, value in answer.items():
        if state is not None and name == "kid":
            yield f"{state} key", value
        elif name == "active":
            yield from () if state == "active" else [("active key", value)]
        elif state is None or name != "state":
            yield f"  {name}" if state is not None and name not in {"outcome", "warning"} else name, value


def _show(answer: dict[str, Any], tenant: str, json: bool) -> None:
    if json:
        print_json(answer)
        return
    for name, value in _lines(answer):
        out.print(printable(f"{name}: {value}"), soft_wrap=True)
    if answer.get("outcome") == "waiting":
        out.print(
            f"Nothing changed: relying parties are still fetching the standby. Asked again from {answer['ready_at']} on, it signs at once; "
            f"by itself it takes over at {answer['activates_at']}; --activate --reason forces it now.",
            soft_wrap=True,
        )
    if answer.get("outcome") == "pending":
        out.print(printable(approvals.told_to_wait(tenant, answer)), soft_wrap=True)
