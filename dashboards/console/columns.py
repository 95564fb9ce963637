"""The columns of the log's table: fields that the page's address names. The time is always the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from dashboards.console.text import plain
from streams.errors import QueryError
from streams.fields import FIELDS
from streams.query.flat import texts_at
from streams.query.names import resolve

USUAL: Final = ("event.action", "event.outcome", "user.name", "source.ip", "client.id")
"""What the table has unless the address says otherwise."""
MOST: Final = 8
"""More would be too narrow to be read."""
_LABELS: Final = {"event.action": "Action", "event.outcome": "Outcome", "user.name": "User", "source.ip": "From", "client.id": "Client"}
_TIME: Final = "@timestamp"
_OBJECT: Final = "idp"
_LEAVES: Final = 20
_LOOKED_AT: Final = 1000
"""Values of one event that are looked at for a column: an event may have a million bytes, and a page fifty events."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that can be a column, what it means, and whether it is one."""

    name: str
    meaning: str
    chosen: bool


def label(name: str) -> str:
    """What stands above the field's column."""
    return _LABELS.get(name, name)


def columns(text: str) -> tuple[str, ...]:
    """The fields that an address names, as `user.name,idp.details.auth_method`; the usual ones if it names none.

    Raises:
        QueryError: there is no such field, or there are too many.
    """
    names = _split(text)
    if len(names) > MOST:
        message = f"columns: {len(names)} are more than the table can show"
        raise QueryError(message, hint=f"choose at most {MOST}", parameter="columns")
    for name in names:
        try:
            resolve(name, position=None)
        except QueryError as error:
            message = f"columns: {str(error).removesuffix(f'; {error.hint}')}"
            raise QueryError(message, hint=error.hint, parameter="columns") from error
    return tuple(name for name in names if name != _TIME) or USUAL


def existing(text: str) -> tuple[str, ...]:
    """The fields that an address names and that there are, however many: for a page on which they can be chosen better."""

    def is_one(name: str) -> bool:
        try:
            resolve(name, position=None)
        except QueryError:
            return False
        return name != _TIME

    return tuple(filter(is_one, _split(text)))


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def named(names: Iterable[str]) -> str:
    """The fields as an address names them: nothing, if they are the usual ones."""
    kept = tuple(filter(None, (name.strip() for name in names)))
    return "" if kept == USUAL else ",".join(kept)


def choices(chosen: tuple[str, ...]) -> tuple[Choice, ...]:
    """Every declared field that can be a column, and what else is one already."""
    declared = [field for field in FIELDS if field.name not in {_TIME, _OBJECT}]
    others = [name for name in chosen if name.startswith(f"{_OBJECT}.")]
    return (
        *(Choice(field.name, field.meaning, field.name in chosen) for field in declared),
        *(Choice(name, "Of the source's own object", chosen=True) for name in others),
    )


def value(event: Mapping[str, Any], name: str) -> str:
    """What the event has in this column, as text: of a path in the source's own object, what is there, up to 20 values."""
    if not name.startswith(f"{_OBJECT}."):
        return plain(event.get(name, ""))
    return ", ".join(islice(texts_at({_OBJECT: event.get(_OBJECT)}, name, _LOOKED_AT), _LEAVES))
