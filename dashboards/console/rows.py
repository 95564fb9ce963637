"""Events as rows of a table, for pages, and for what arrives while a page is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards.console.columns import USUAL, label, value
from dashboards.console.frame import event_path
from dashboards.console.text import parts, plain
from dashboards.console.times import utc
from streams.query.times import iso_to_ms

LIMIT: Final = 60
"""Characters of a value that a table shows; the event's own page has more of it."""
_OUTCOME: Final = "event.outcome"
_REASON: Final = "event.reason"
_MONO: Final = frozenset({"event.action", "source.ip", "event.id", "user.id", "session.id", "log.position", "tenant.id", "event.dataset"})
_MOODS: Final = {"failure": "bad", "success": "good"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in the table.

    Attributes:
        field: its name.
        label: what stands above it, or beside it on a phone.
        value: as text.
        reason: what stands below it: why an outcome is a failure.
    """

    field: str
    label: str
    value: str
    reason: str = ""

    @property
    def outcome(self) -> bool:
        """Whether it is shown as a mark."""
        return self.field == _OUTCOME

    @property
    def mood(self) -> str:
        """Of an outcome: `good`, `bad` or neither."""
        return _MOODS.get(self.value, "")

    @property
    def mono(self) -> bool:
        """Whether it is written with letters of one width."""
        return self.field in _MONO or self.field.startswith("idp.")


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the table: when, where its page is, and a cell for each column."""

    time: int
    href: str
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, tenant: str, event: Mapping[str, Any], columns: tuple[str, ...] = USUAL) -> Row:
        """The row of an event, given as its flat fields."""
        reason = "" if _REASON in columns else plain(event.get(_REASON, ""))
        return cls(
            time=iso_to_ms(plain(event.get("@timestamp", ""))) or 0,
            href=event_path(tenant, plain(event.get("event.id", ""))),
            cells=tuple(Cell(name, label(name), value(event, name), reason if name == _OUTCOME else "") for name in columns),
        )

    def news(self) -> dict[str, Any]:
        """The row for the script of the live tail. Its texts are in parts, as `dashboards.console.text.parts` makes them."""
        return {
            "time": utc(self.time),
            "href": self.href,
            "cells": [
                {
                    "label": cell.label,
                    "value": shown(cell.value),
                    "reason": shown(cell.reason),
                    "outcome": cell.outcome,
                    "mood": cell.mood,
                    "mono": cell.mono,
                }
                for cell in self.cells
            ],
        }


def shown(text: str, limit: int = LIMIT) -> dict[str, Any]:
    """A text for a script, cut as `isolated` cuts it: its parts, and how long it is if that is not all of it."""
    return {"parts": parts(text[:limit]), "cut": len(text) if len(text) > limit else 0}
