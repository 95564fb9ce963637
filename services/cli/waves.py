"""`tenantry keys rotate --all --wave`, `waves` and `wave`: rotations of many tenants, one after another."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated, Any, Final

import typer

from services.cli.app import Json
from services.cli.client import Client
from services.cli.output import err, out, print_json, print_table, printable, progress_bar
from services.errors import Invalid
from services.settings import Settings

_POLL_SECONDS: Final = 1.0
_COUNTS: Final = ("done", "waiting", "late", "failed", "released", "gone")
Id = Annotated[str, typer.Argument(help="The wave's id.")]


def register(keys: typer.Typer) -> None:
    """Adds the commands to those of keys."""
    keys.command("waves")(list_)
    keys.command("wave")(wave)


def begin(rate: str, jitter: float, reason: str, tenants: Path | None, *, wait: bool, json: bool) -> None:
    """Begins a wave, for the tenants that the file names or for all, and shows how it goes on."""
    body: dict[str, Any] = {"rate": rate, "jitter": jitter, "reason": reason}
    if tenants is not None:
        body["tenants"] = _named(tenants)
    client = Client(Settings())
    started = client.ask("POST", "/v1/waves", json=body)
    says = "" if json else f"Wave {started['id']}: {started['tenants']} tenants at {started['rate']}, until {started['ends_at']}"
    _show(_watched(client, started, says) if wait else started, json)


def list_(json: Json = False) -> None:
    """Lists the waves, the newest first."""
    found = Client(Settings()).ask("GET", "/v1/waves")["waves"]
    if json:
        print_json(found)
        return
    columns = ("id", "state", "started_at", "ends_at", "rate", "tenants", *_COUNTS, "reason")
    rows = [[str(one[column] if one[column] is not None else "") for column in columns] for one in found]
    print_table(columns, rows, shorten=("reason",), drop=("gone", "released", "rate", "started_at", "reason", "waiting", "late"))


def wave(
    identifier: Id,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it: whoever has not rotated goes on as without it.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch it until it has ended.")] = True,
    json: Json = False,
) -> None:
    """Shows how far a wave has come, until it has ended. Ctrl-C leaves it running."""
    if not identifier or set(identifier) & set("/?#%"):
        raise Invalid(f"{identifier!r} is not the id of a wave; tenantry keys waves lists them")
    client = Client(Settings())
    found = client.ask("DELETE" if stop else "GET", f"/v1/waves/{identifier}")
    _show(_watched(client, found) if wait else found, json)


def _watched(client: Client, told: dict[str, Any], says: str = "") -> dict[str, Any]:
    """Shows a bar until the wave has ended, or somebody has seen enough: how far it had come by then."""
    with _interrupted() as enough:
        if says:
            out.print(says, soft_wrap=True)
        with progress_bar() as bar:
            task = bar.add_task("rotating", total=told["tenants"])
            while told["state"] == "running":
                overdue = told["late"] + told["failed"]
                said = f"rotating, {overdue} late" if overdue else "rotating"
                bar.update(task, completed=told["done"] + told["gone"], description=said)
                if enough.wait(_POLL_SECONDS):
                    break
                told = client.ask("GET", f"/v1/waves/{told['id']}")
    if enough.is_set():
        err.print(f"The wave goes on. tenantry keys wave {told['id']} shows it again; with --stop it is stopped.", soft_wrap=True)
    return told


@contextmanager
def _interrupted() -> Iterator[Event]:
    """Is set by Ctrl-C. As an exception, which may come anywhere, it was lost once: what the interpreter itself calls swallows it."""
    event = Event()
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _show(told: dict[str, Any], json: bool) -> None:
    if json:
        print_json(told)
        return
    counts = ", ".join(f"{told[name]} {name}" for name in _COUNTS if told[name] or name == "done")
    ends = f"; ends at {told['ends_at']}" if told["state"] == "running" and told["ends_at"] else ""
    out.print(printable(f"{told['id']}: {told['state']}, {counts} of {told['tenants']} tenants{ends}"), soft_wrap=True)
    for one in told["overdue"]:
        out.print(printable(f"  {one['tenant']}: {one['reason']}"), soft_wrap=True)


def _named(file: Path) -> list[str]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"--tenants {file} can't be read: {error}") from error
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise Invalid(f"--tenants {file} names no tenant: write one id a line")
    return found
