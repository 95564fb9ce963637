"""`tenantry export`: a tenant's events as a file."""

from __future__ import annotations

import codecs
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.filesize import decimal

from keyvault.durable_file import publish
from services.cli.app import Q, Since, Tenant, Until, examples
from services.cli.client import Body, Client, path_of
from services.cli.output import escaped, out, plural, print_json, printable, progress_bar
from services.errors import Invalid
from services.settings import Settings


class Format(StrEnum):
    """The formats of the service."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


_LINES: Final = frozenset({Format.NDJSON, Format.CSV})
"""Formats with one event a line, which can be counted, and shown on a terminal."""

_TAKEN: Final = "{output} is there already; give another name, or --replace"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        epilog=examples(
            "export globex --output globex.csv",
            "export globex 'event.outcome:failure' --since now-30d --output failures.parquet",
            "export globex --format ndjson | gzip > globex.ndjson.gz",
        )
    )(export)


def export(
    tenant: Tenant,
    q: Q = "",
    since: Since = "",
    until: Until = "",
    format: Annotated[  # noqa: A002 -- the option's name
        Format | None, typer.Option(help="By default what the file's name ends with; ndjson, if it has no ending.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; by default the standard output.", show_default=False)
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Tell of the file in JSON, for machines; with --output.")] = False,
) -> None:
    """Writes all events that a question finds to a file, in the order of the log, of any number.

    The file appears under its name when it is whole.
    """
    chosen = format or _by_name(output)
    if output is None and json:
        raise Invalid("--json tells of a file: give --output FILE; without it, the events themselves are printed")
    if output is not None and output.exists() and not replace:
        raise Invalid(_TAKEN.format(output=output))
    if output is None and chosen not in _LINES and sys.stdout.isatty():
        raise Invalid("Parquet is nothing for a terminal: give --output FILE, or pipe it into a program")
    params = {"q": q, "since": since, "until": until, "format": chosen.value}
    with Client(Settings()).stream(path_of(tenant, "events", "export"), params) as body:
        if output is None:
            _print(body, chosen)
        else:
            told = _save(body, chosen, output, replace=replace)
            if json:
                print_json(told)
            else:
                events = f"{told['events']:,} {plural(told['events'], 'event')}"
                out.print(printable(f"{output}: {events}, {decimal(told['bytes'])}"), soft_wrap=True)


def _by_name(output: Path | None) -> Format:
    suffix = output.suffix.removeprefix(".").lower() if output is not None else ""
    if suffix and suffix not in set(Format):
        known = ", ".join(f".{one}" for one in Format)
        raise Invalid(f"{output}: no format is called {suffix!r}; the name may end with {known}, or say --format {'|'.join(Format)}")
    return Format(suffix) if suffix else Format.NDJSON


def _print(body: Body, chosen: Format) -> None:
    """To a pipe as it is; to a terminal without what it would obey."""
    if not sys.stdout.isatty():
        for part in _watched(body, chosen):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    for part in body.parts:
        sys.stdout.write("\n".join(escaped(line.rstrip("\r")) for line in decode(part).split("\n")))


def _save(body: Body, chosen: Format, output: Path, *, replace: bool) -> dict[str, Any]:
    """Writes the file, and answers what is told of it."""
    unfinished: Path | None = None
    digest, size, lines = hashlib.sha256(), 0, 0
    try:
        # New, under a name of its own, and for its owner alone: it has other people's names and addresses.
        descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.", suffix=".part")
        unfinished = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            for part in _watched(body, chosen):
                file.write(part)
                digest.update(part)
                size += len(part)
                lines += part.count(b"\n")
            file.flush()
            os.fsync(file.fileno())
        events = lines - (chosen is Format.CSV) if chosen in _LINES else _rows(unfinished)
        publish(unfinished, output, replaces=replace)  # a file of that name may have appeared meanwhile
    except FileExistsError:
        raise Invalid(_TAKEN.format(output=output)) from None
    except OSError as error:
        raise Invalid(f"{output} can't be written ({error.strerror})") from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)
    return {
        "file": str(output),
        "format": chosen.value,
        "events": events,
        "bytes": size,
        "sha256": digest.hexdigest(),
        "indexed_up_to": body.headers.get("tenantry-indexed-up-to"),
    }


def _rows(parquet: Path) -> int:
    # Here, since importing it takes a tenth of a second, which only those need who ask for it.
    from services.events.parquet_file import counted  # noqa: PLC0415

    return counted(parquet)


def _watched(body: Body, chosen: Format) -> Iterator[bytes]:
    """The parts, and a bar of how far they have come: in events, if they can be counted."""
    about = int(body.headers.get("tenantry-events", 0))
    with progress_bar() as bar:
        task = bar.add_task("exporting", total=max(about, 1) if chosen in _LINES else None)
        size = 0
        for part in body.parts:
            size += len(part)
            bar.update(task, advance=part.count(b"\n") if chosen in _LINES else 0, description=f"exporting, {decimal(size)}")
            yield part
