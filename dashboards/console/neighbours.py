"""An event's neighbours: what happened right before and after it in the same session, to the same user, from the same address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards.console.asked import FROM_PROVIDERS, LONGEST_LINK, PLATFORM, condition
from dashboards.console.frame import log_path
from dashboards.console.rows import Row
from dashboards.console.times import age

EACH: Final = 5
"""Neighbours on either side."""
_SECOND: Final = 1000
_COLUMNS: Final = ("event.action", "event.outcome", "user.name", "source.ip")
_SHARED: Final = (
    ("The same session", ("session.id",)),
    ("The same user", ("user.id", "user.name")),
    ("The same address", ("source.ip",)),
)
"""What neighbours share: the first of the fields that the event has."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A value that an event shares with its neighbours.

    Attributes:
        title: of the neighbours, in words.
        query: for the events with this value.
    """

    title: str
    field: str
    value: str
    query: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An event beside the one that is looked at, which is among them; how far from it, in words."""

    row: Row
    apart: str
    itself: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The events around one that share a value with it, the earliest first.

    Attributes:
        all: the log of all events with the value.
        earlier: whether there may be more before the first.
        later: whether there may be more behind the last.
    """

    shared: Shared
    events: tuple[Neighbour, ...]
    all: str
    earlier: bool
    later: bool

    @property
    def alone(self) -> bool:
        """Whether there is no other event."""
        return len(self.events) == 1

    @classmethod
    def of(
        cls, tenant: str, event: Mapping[str, Any], shared: Shared, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
    ) -> Neighbours:
        """The neighbours as the page shows them; `before` and `after` are the nearest, at most `EACH`, the earliest first."""
        middle = Row.of(tenant, event, _COLUMNS)
        own = "1" if event.get("event.provider") == PLATFORM else ""
        return cls(
            shared=shared,
            events=(
                *_beside(tenant, before, middle.time),
                Neighbour(middle, "this event", itself=True),
                *_beside(tenant, after, middle.time),
            ),
            all=log_path(tenant, q=condition(shared.field, shared.value), range="all", own=own),
            earlier=len(before) == EACH,
            later=len(after) == EACH,
        )


def shared(event: Mapping[str, Any]) -> tuple[Shared, ...]:
    """What the event may share with others. Values that are longer than links can be are left out."""
    # Whoever looks at the log leaves an event of ours at each look, from the same address: these are among our own events only.
    others = "" if event.get("event.provider") == PLATFORM else f" {FROM_PROVIDERS}"
    found: list[Shared] = []
    for title, fields in _SHARED:
        for field in fields:
            value = event.get(field)
            if isinstance(value, str) and value and len(asked := condition(field, value)) <= LONGEST_LINK:
                found.append(Shared(title, field, value, asked + others))
                break
    return tuple(found)


def _beside(tenant: str, events: Iterable[Mapping[str, Any]], time: int) -> Iterable[Neighbour]:
    for event in events:
        row = Row.of(tenant, event, _COLUMNS)
        yield Neighbour(row, _apart(row.time, time), itself=False)


def _apart(ms: int, middle: int) -> str:
    distance = abs(ms - middle)
    if distance == 0:
        return "at the same moment"
    length = f"{distance} ms" if distance < _SECOND else age(ms, middle).removesuffix(" ago").removeprefix("in ")
    return f"{length} {'before' if ms < middle else 'after'}"
