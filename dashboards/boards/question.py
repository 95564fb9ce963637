"""What is asked of a tenant's log: a query and how its answers are counted. OpenSearch Dashboards and Grafana show the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from streams.fields import BY_NAME, FieldType

TIME: Final = "@timestamp"
_COUNTED: Final = frozenset({FieldType.KEYWORD, FieldType.IP})


class Shape(Enum):
    """How the answers are counted."""

    COUNT = "count"
    """One number: how many there are."""
    TIMELINE = "timeline"
    """How many there were when, by the values of a field."""
    TOP = "top"
    """The most frequent values of a field, and how often each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One picture of a tenant's log.

    Attributes:
        id: names it among all of them.
        title: what it shows.
        query: in Lucene's syntax, over the declared fields; empty: everything.
        by: the field whose values are told apart; none for a count.
        most: of how many values, the most frequent.
    """

    id: str
    title: str
    query: str
    shape: Shape
    by: str = ""
    most: int = 10

    def __post_init__(self) -> None:
        if self.shape is not Shape.COUNT and not (BY_NAME[self.by].countable and BY_NAME[self.by].type in _COUNTED):
            raise ValueError(f"{self.id}: {self.by} can't be counted by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Questions that are looked at together, and the events that they are about.

    Attributes:
        id: names it among all of them.
        title: what it is about.
        about: one sentence for people.
        questions: in the order in which they are shown.
        query: which events are listed beneath them.
        columns: what is shown of each.
    """

    id: str
    title: str
    about: str
    questions: Sequence[Question]
    query: str
    columns: Sequence[str]


def count(name: str, title: str, query: str) -> Question:
    """How many there are."""
    return Question(id=name, title=title, query=query, shape=Shape.COUNT)


def timeline(name: str, title: str, query: str, by: str) -> Question:
    """How many there were when."""
    return Question(id=name, title=title, query=query, shape=Shape.TIMELINE, by=by)


def top(name: str, title: str, query: str, by: str) -> Question:
    """The most frequent values."""
    return Question(id=name, title=title, query=query, shape=Shape.TOP, by=by)
