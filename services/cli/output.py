"""What the commands print: tables for people, JSON for machines, progress on the standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from services.cli.fitting import fitted

out: Final = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 10_000)
"""In a pipe there is no width to fit into: a row is a line."""
err: Final = Console(stderr=True, highlight=False, markup=False, emoji=False)

_STYLES: Final = {
    **dict.fromkeys(("success", "active", "done"), "green"),
    **dict.fromkeys(("failure", "compromised", "failed"), "bold red"),
    **dict.fromkeys(("pre-activation", "running"), "cyan"),
    **dict.fromkeys(("deactivated", "stopped"), "yellow"),
    "destroyed": "dim",
}
"""Colours say again what the word says, never alone."""


def fail(message: str) -> int:
    """Prints an error, and answers the exit code."""
    err.print(f"tenantry: {printable(message)}", style="bold red", soft_wrap=True)
    return 1


def print_json(value: Any) -> None:
    """Prints a value as one line of JSON. It is the same JSON for a program, and a terminal obeys none of it."""
    sys.stdout.write(escaped(json.dumps(value, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def escaped(text: str) -> str:
    """JSON on one line with escapes in place of what a terminal would obey: JSON itself escapes only some of it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, shorten: Collection[str] = (), drop: Sequence[str] = ()) -> None:
    """Prints a table. On a terminal that is too narrow for it, see `services.cli.fitting`, which says what the arguments are."""
    widths = {
        column: max(cell_len(printable(cell)) for cell in (column, *(row[number] for row in rows))) for number, column in enumerate(columns)
    }
    if not sys.stdout.isatty():
        shorten, drop = (), ()
    shown = fitted(widths, out.width, shorten=shorten, drop=drop)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, width in shown.items():
        cut = column in shorten
        table.add_column(
            Text(printable(column)), overflow="ellipsis" if cut else "fold", no_wrap=cut or width == widths[column], width=width
        )
    for row in rows:
        table.add_row(*(coloured(cell) for column, cell in zip(columns, row, strict=True) if column in shown))
    out.print(table)


def coloured(value: str) -> Text:
    """A value for a terminal, in the colour of the state or outcome that it names. Where none are wanted, rich leaves them out."""
    return Text(printable(value), style=_STYLES.get(value, ""))


def printable(text: str) -> str:
    """The text without what a terminal would obey.

    Control characters become U+FFFD, so that an event's field can't move the cursor, change colours, turn the reading direction or
    pretend to be a line of its own.
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def plural(number: int, noun: str) -> str:
    """The noun as it stands behind the number."""
    return noun if number == 1 else f"{noun}s"


def progress_bar() -> Progress:
    """A progress bar on the standard error, only where somebody can see it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
