"""The log: search box, ranges, histogram, top values, and the table of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.asked import Asked
from dashboards.console.columns import MOST, USUAL, Choice, choices, label
from dashboards.console.histogram import Chart
from dashboards.console.rows import Row
from streams.errors import QueryError

TOP_FIELDS: Final = ("event.action", "event.outcome", "user.name", "source.ip", "client.id")
"""Whose most frequent values stand beside the log."""
FORMATS: Final = (
    ("csv", "CSV", "for spreadsheets: a column for each field"),
    ("ndjson", "NDJSON", "for programs: an event a line, as the API has it"),
    ("parquet", "Parquet", "for DuckDB, pandas, Spark"),
)
"""What the log can be exported as: the format's name in addresses and for people, and what it is for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a question, and where.

    Attributes:
        before: the query before the place, if it has one; `here` and `after` are what is there, and behind it.
        field: what of the page was given wrongly: `q`, `since`, `until`, `range` or `columns`.
    """

    message: str
    hint: str | None
    before: str = ""
    here: str = ""
    after: str = ""
    field: str = "q"

    @classmethod
    def of(cls, error: QueryError, q: str) -> Problem:
        """The problem that the error tells of."""
        # The message is a whole sentence for programs; a page shows its parts in their places.
        message = str(error)
        if error.hint:
            message = message.removesuffix(f"; {error.hint}")
        if error.parameter is not None:
            return cls(message.removeprefix(f"{error.parameter}: "), error.hint, field=error.parameter)
        if error.position is None:
            return cls(message, error.hint)
        at = min(error.position, len(q))
        message = message.removesuffix(f" at position {error.position}")
        return cls(message, error.hint, q[max(0, at - 200) : at], q[at : at + 1] or "\N{OPEN BOX}", q[at + 1 : at + 201])


@dataclass(frozen=True, slots=True)
class TopValue:
    """A frequent value.

    Attributes:
        count: how many events have it.
        share: of the most frequent value's count, 0 to 100.
        only: the page with these events only; None if it would be longer than links can be.
        without: the page without them; None, too, if nothing were left.
    """

    text: str
    count: int
    share: float
    only: str | None
    without: str | None


@dataclass(frozen=True, slots=True)
class Top:
    """A field's most frequent values."""

    field: str
    values: tuple[TopValue, ...]

    @classmethod
    def of(cls, asked: Asked, field: str, buckets: Sequence[tuple[str, int]], total: int = 0) -> Top:
        """The values as the page shows them; there are `total` events with any value, or none."""
        most = max((count for _, count in buckets), default=1)
        return cls(
            field,
            tuple(
                TopValue(
                    text=value,
                    count=count,
                    share=round(100 * count / most, 1),
                    only=asked.narrowed(field, value),
                    without=asked.narrowed(field, value, without=True) if count != total else None,
                )
                for value, count in buckets
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The log as it was asked for.

    Attributes:
        problem: what is wrong with the question; then there are no events.
        columns: the fields of the table, beside the time.
        chart: events over time; None on the pages after the first.
        older: the page of the next events, if there are more.
        later: whether this is a page after the first.
        silent: whether no identity provider has ever sent an event.
        behind: whether events are on their way into the index.
        live: where what arrives from now on is told; None where nothing can: on later pages, and before a given end.
        fixed: the page with times that do not move with the clock; None if its own do not.
    """

    template: ClassVar[str] = "log.html"
    asked: Asked
    now: int
    problem: Problem | None = None
    columns: tuple[str, ...] = USUAL
    rows: tuple[Row, ...] = ()
    chart: Chart | None = None
    tops: tuple[Top, ...] = ()
    older: str | None = None
    later: bool = False
    silent: bool = False
    behind: bool = False
    live: str | None = None
    fixed: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "Log"

    @property
    def headings(self) -> list[tuple[str, str]]:
        """What stands above each column, and its field."""
        return [(label(name), name) for name in self.columns]

    @property
    def usual(self) -> bool:
        """Whether the columns are the usual ones, which have widths of their own."""
        return self.columns == USUAL

    @property
    def most_columns(self) -> int:
        """How many columns there can be."""
        return MOST

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be a column."""
        return choices(self.columns)

    @property
    def exports(self) -> list[tuple[str, str, str]]:
        """Each format's name, what it is for, and the file."""
        return [(name, purpose, self.asked.export(kind)) for kind, name, purpose in FORMATS]
