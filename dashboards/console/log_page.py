"""The log: search box, ranges, histogram, top values, and the table of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from dashboards.console.frame import event_path, log_path
from dashboards.console.histogram import Bar, Chart
from dashboards.console.text import plain
from dashboards.console.times import PRESETS
from streams.errors import QueryError
from streams.query.times import iso_to_ms

TOP_FIELDS: Final = ("event.action", "event.outcome", "user.name", "source.ip", "client.id")
"""Whose most frequent values stand beside the log."""
PLATFORM: Final = "tenantry"
"""The `event.provider` of our own events, as in `events_searched`."""
FROM_PROVIDERS: Final = f"NOT event.provider:{PLATFORM}"
FAILURES: Final = "event.outcome:failure"
_LONGEST_LINK: Final = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was asked for, as it was written.

    Attributes:
        range: names a preset; `since` and `until` go before it.
        own: whether Tenantry's own events are wanted too. By default they are not: every look at the log adds one, and an analyst
            would find themselves only.
    """

    tenant: str
    q: str = ""
    range: str = ""
    since: str = ""
    until: str = ""
    own: bool = False

    @property
    def narrow(self) -> str:
        """The query of what is shown. Its first part is `q` as it was written, so positions of errors are the same in both."""
        return f"{self.q} {FROM_PROVIDERS}".strip() if self.hides else self.q

    @property
    def hides(self) -> bool:
        """Whether Tenantry's own events are left out. A query that says which providers it wants gets them."""
        return not self.own and "event.provider" not in self.q

    @property
    def exact(self) -> bool:
        """Whether the times are given, and not a preset."""
        return bool(self.since or self.until)

    def path(self, **changes: str) -> str:
        """This page with something changed (`q`, `range`, `since`, `until`, `own`, `after`): other times go instead of its own."""
        same = {"q": self.q, "own": "1" if self.own else ""}
        times = {"since": self.since, "until": self.until} if self.exact else {"range": self.range}
        return log_path(self.tenant, **{**same, **({} if changes.keys() & {"range", "since", "until"} else times), **changes})

    def narrowed(self, field: str, value: str) -> str | None:
        """This page with the value of the field as one more condition; None if that would be longer than links can be."""
        more = condition(field, value)
        # What merely stands beside a query must match too, whatever operators are in the query.
        return self.path(q=f"{self.q} {more}".strip()) if len(more) <= _LONGEST_LINK else None

    def at(self, bar: Bar) -> str:
        """This page for the time of a bar."""
        return self.path(since=bar.since, until=bar.until)

    def presets(self) -> list[tuple[str, str, bool]]:
        """Each preset's label, page, and whether it is this one."""
        return [(one.label, self.path(range=one.name), not self.exact and one.name == self.range) for one in PRESETS]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a question, and where: `before`, `here` and `after` are the query around the place, if it has one."""

    message: str
    hint: str | None
    before: str = ""
    here: str = ""
    after: str = ""

    @classmethod
    def of(cls, error: QueryError, q: str) -> Problem:
        """The problem that the error tells of."""
        # The message is a whole sentence for programs; a page shows its parts in their places.
        message = str(error)
        if error.hint:
            message = message.removesuffix(f"; {error.hint}")
        if error.position is None:
            return cls(message, error.hint)
        at = min(error.position, len(q))
        message = message.removesuffix(f" at position {error.position}")
        return cls(message, error.hint, q[max(0, at - 200) : at], q[at : at + 1] or "\N{OPEN BOX}", q[at + 1 : at + 201])


@dataclass(frozen=True, slots=True)
class Top:
    """A field's most frequent values: the value, how many events, its share of the most frequent one's (0 to 100), a narrower page."""

    field: str
    values: tuple[tuple[str, int, float, str | None], ...]

    @classmethod
    def of(cls, asked: Asked, field: str, buckets: Sequence[tuple[str, int]]) -> Top:
        """The values as the page shows them."""
        most = max((count for _, count in buckets), default=1)
        return cls(field, tuple((value, count, round(100 * count / most, 1), asked.narrowed(field, value)) for value, count in buckets))


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the table."""

    time: int
    href: str
    action: str
    outcome: str
    reason: str
    user: str
    ip: str
    client: str

    @classmethod
    def of(cls, tenant: str, event: Mapping[str, Any]) -> Row:
        """The row of an event, given as its flat fields."""

        def text(name: str) -> str:
            return plain(event.get(name, ""))

        return cls(
            time=iso_to_ms(text("@timestamp")) or 0,
            href=event_path(tenant, text("event.id")),
            action=text("event.action"),
            outcome=text("event.outcome"),
            reason=text("event.reason"),
            user=text("user.name"),
            ip=text("source.ip"),
            client=text("client.id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The log as it was asked for.

    Attributes:
        problem: what is wrong with the question; then there is nothing else.
        chart: events over time; None on the pages after the first.
        older: the page of the next events, if there are more.
        later: whether this is a page after the first.
        silent: whether no identity provider has ever sent an event.
        behind: whether events are on their way into the index.
    """

    template: ClassVar[str] = "log.html"
    asked: Asked
    now: int
    problem: Problem | None = None
    rows: tuple[Row, ...] = ()
    chart: Chart | None = None
    tops: tuple[Top, ...] = ()
    older: str | None = None
    later: bool = False
    silent: bool = False
    behind: bool = False

    @property
    def title(self) -> str:
        """Of the page."""
        return "Log"


def condition(field: str, value: str) -> str:
    """The query for exactly this value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field}:"{escaped}"'
