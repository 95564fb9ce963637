"""The columns of a table of events: declared fields, or paths into the source's own object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from dashboards.console.text import plain
from services.errors import Invalid
from streams.fields import BY_NAME

DEFAULT: Final = "@timestamp,event.action,event.outcome,user.name,client.id,source.ip,event.reason"
LESS: Final = ("event.reason", "client.id", "source.ip")
"""Of these a narrow terminal shows fewer, the last one longest."""
_OWN: Final = "idp."


def _fields(incomplete: str) -> list[str]:
    """Continues the last name of the list, for the shell's completion."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in BY_NAME if name.startswith(last)]


Columns = Annotated[
    str,
    typer.Option(help="Fields to show, comma separated; the source's own by their path, as idp.details.username.", autocompletion=_fields),
]


def parsed(columns: str) -> Sequence[str]:
    """The names of the columns.

    Raises:
        Invalid: one of them is no field.
    """
    names = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    for name in names:
        if name not in BY_NAME and not name.startswith(_OWN):
            raise Invalid(f"--columns: there is no field {name!r}; there are {', '.join(BY_NAME)}, and paths as idp.details.username")
    if not names:
        raise Invalid(f"--columns names no field; by default it is {DEFAULT}")
    return names


def row(event: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The event's values, as text; empty where it has none."""
    return [_value(event, column) for column in columns]


def _value(event: Mapping[str, Any], column: str) -> str:
    found: Any = event.get(column)
    if found is None and column.startswith(_OWN):
        found = event.get("idp")
        for key in column.removeprefix(_OWN).split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    return "" if found is None else plain(found)
