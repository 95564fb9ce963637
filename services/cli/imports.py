"""`tenantry keys import` and `export`: keys from elsewhere, and public keys for elsewhere."""

from __future__ import annotations

import sys
from json import loads
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.app import Json, Tenant
from services.cli.client import Client, path_of
from services.cli.output import out, print_json, print_table, printable
from services.errors import Invalid
from services.settings import Settings

_COLUMNS: Final = ("kid", "algorithm", "state", "publish_until")


def register(keys: typer.Typer) -> None:
    """Adds the commands."""
    keys.command("import")(import_)
    keys.command()(export)


def import_(
    tenant: Tenant,
    source: Annotated[str, typer.Argument(help="A file, - for the standard input, or (public keys only) an https URL.", metavar="SOURCE")],
    publish_until: Annotated[
        str, typer.Option(help="Public keys: when the last token that they signed has expired, as 2026-12-01T00:00:00Z or now+7d.")
    ] = "",
    private: Annotated[bool, typer.Option("--private", help="SOURCE is a private key (PEM or JWK), which is to sign here.")] = False,
    kid: Annotated[
        str, typer.Option(help="--private: what the key is called, if neither it nor an earlier import of its public half says so.")
    ] = "",
    algorithm: Annotated[str, typer.Option(help="--private: what the key is used with, likewise.")] = "",
    known_since: Annotated[str, typer.Option(help="--private: since when relying parties can fetch it where it comes from.")] = "",
    activate: Annotated[
        bool, typer.Option("--activate", help="--private: sign at once, whoever has not seen it yet. Needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; for the log.")] = "",
    json: Json = False,
) -> None:
    """Publishes somebody else's public keys, so that their tokens verify here; with --private, has the key store adopt a key.

    A private key is read from a file or the standard input, never from the command line, where others would see it.
    """
    if private:
        given = {"kid": kid, "algorithm": algorithm, "known_since": known_since, "activate": activate, "reason": reason}
        _adopt(tenant, source, publish_until, given, json=json)
        return
    if kid or algorithm or known_since or activate or reason:
        raise Invalid("--kid, --algorithm, --known-since, --activate and --reason go with --private: public keys never sign here")
    if not publish_until:
        raise Invalid("public keys need --publish-until: when the last token that they signed has expired, as --publish-until now+7d")
    body: dict[str, Any] = {"publish_until": publish_until}
    if source.startswith(("https://", "http://")):
        body["url"] = source
    else:
        body["jwks"] = _document(source)
    answer = Client(Settings()).ask("POST", path_of(tenant, "keys", "import"), json=body)
    if json:
        print_json(answer)
        return
    print_table(_COLUMNS, [[str(key.get(column) or "") for column in _COLUMNS] for key in answer["keys"]])
    for one in answer["skipped"]:
        out.print(printable(f"left out: {one['kid']}: {one['reason']}"), soft_wrap=True)


def _adopt(tenant: str, source: str, publish_until: str, given: dict[str, Any], *, json: bool) -> None:
    if source.startswith(("https://", "http://")):
        raise Invalid("a private key is not fetched from a URL: save it where only you can read it, and name the file")
    if publish_until:
        raise Invalid("--publish-until is for public keys: one that signs here stays until its last token has expired")
    if given["activate"] and not given["reason"]:
        raise Invalid("--activate may break relying parties that have not seen the key yet, so it needs --reason, for the log")
    body = {"private_key": _text(source), **{name: value for name, value in given.items() if value}}
    answer = Client(Settings()).ask("POST", path_of(tenant, "keys", "adopt"), json=body)
    if json:
        print_json(answer)
        return
    for name, value in answer.items():
        out.print(printable(f"{name}: {value}"), soft_wrap=True)
    if answer["outcome"] == "waiting":
        out.print(
            f"The key is in the key store and published, and signs by itself from {answer['activates_at']} on, when relying parties "
            "have it. If they have it already from where it comes from, say so: --known-since TIME.",
            soft_wrap=True,
        )


def export(
    tenant: Tenant,
    pem: Annotated[bool, typer.Option("--pem", help="As PEM, instead of a JWK set.")] = False,
) -> None:
    """Prints the published public keys: a JWK set, or PEM. Private halves never leave the key store."""
    with Client(Settings()).stream(path_of(tenant, "keys", "export"), {"format": "pem" if pem else "jwks"}) as body:
        for part in body.parts:
            sys.stdout.buffer.write(part)
    if not pem:
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def _document(source: str) -> Any:
    try:
        document = loads(_text(source))
    except ValueError:
        raise Invalid(f"{source} is not JSON; public keys come as a JWK set") from None  # its message might hold what is no public key
    if not isinstance(document, dict):
        raise Invalid(f"{source} is no JWK set: that is an object with the member 'keys'")
    return document


def _text(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text()
    except OSError as error:
        raise Invalid(f"{source} can't be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise Invalid(f"{source} is not text: give PEM or JSON, as `openssl pkey -inform DER` makes of a binary key") from None
