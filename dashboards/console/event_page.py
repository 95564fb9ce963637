"""One event: every field, with what it means, and what happened around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from dashboards.console.asked import LONGEST_LINK, condition
from dashboards.console.frame import log_path
from dashboards.console.neighbours import Neighbours
from dashboards.console.text import plain, pretty
from streams.fields import BY_NAME, FIELDS, FieldType
from streams.query.times import iso_to_ms

_OBJECT: Final = "idp"
_OF_ONE: Final = frozenset({"event.id", "log.position", "tenant.id"})
"""Fields whose value no other event has, or every one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field: its name, what it means, its value as text, and the search for events with the same value, if there is one."""

    name: str
    meaning: str
    value: str
    same: str | None


@dataclass(frozen=True, slots=True)
class EventPage:
    """One event.

    Attributes:
        time: its `@timestamp` in epoch milliseconds.
        fields: in the order of `streams.fields`; what that does not know comes last.
        source: the identity provider's own object, as JSON, in whole.
        neighbours: those who share something with it.
        trouble: why there are none, if they could not be asked for.
    """

    template: ClassVar[str] = "event.html"
    tenant: str
    now: int
    time: int | None
    action: str
    outcome: str
    fields: tuple[Shown, ...]
    source: str
    neighbours: tuple[Neighbours, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page; the source's words, so it is shortened."""
        return f"{self.action[:60] or 'Event'} · event"

    @classmethod
    def of(
        cls, tenant: str, event: Mapping[str, Any], now: int, neighbours: tuple[Neighbours, ...] = (), trouble: str | None = None
    ) -> EventPage:
        """The page of an event, given as its flat fields."""
        names = [field.name for field in FIELDS if field.name in event and field.name != _OBJECT]
        names += [name for name in event if name not in BY_NAME]
        return cls(
            tenant=tenant,
            now=now,
            time=iso_to_ms(plain(event.get("@timestamp", ""))),
            action=plain(event.get("event.action", "")),
            outcome=plain(event.get("event.outcome", "")),
            fields=tuple(_shown(tenant, name, event[name]) for name in names),
            source=pretty(event.get(_OBJECT)),
            neighbours=neighbours,
            trouble=trouble,
        )


def _shown(tenant: str, name: str, value: Any) -> Shown:
    field = BY_NAME.get(name)
    text = plain(value)
    same = None
    shared = field is not None and field.type in {FieldType.KEYWORD, FieldType.IP} and name not in _OF_ONE
    if shared and isinstance(value, str):
        query = condition(name, text)
        same = log_path(tenant, q=query, range="all", own="1") if len(query) <= LONGEST_LINK else None
    return Shown(name, field.meaning if field is not None else "", text, same)
