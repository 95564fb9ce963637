"""What a source is: one event format of one kind of identity provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec


class Selector(NamedTuple):
    """What an event says about where it comes from, as `("realm_id", "bf4a…")`; tenants declare the ones that are theirs."""

    kind: str
    value: str


class Normalised(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A raw event in our words, before its tenant is known.

    Attributes:
        selectors: what names its tenant, strongest first; empty when the format names none.
        id: the source's own id, or None.
        time: when it happened, in epoch milliseconds, however implausible; None when the source does not say.

    The others are the fields of `streams.event.Event` of the same name.
    """

    selectors: tuple[Selector, ...]
    id: str | None
    time: int | None
    action: str
    category: str
    outcome: str
    dataset: str
    reason: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    source_ip: str | None = None
    message: str | None = None


class Source(Protocol):
    """One event format.

    Attributes:
        name: what `--source` and `?source=` call it, and the event's `event.provider`.
        selector_kinds: the kinds of selectors that a tenant may declare for it, strongest first.
        names_tenant: whether every event names its tenant. If so, an event whose selectors are not declared by the tenant is
            refused, even when it comes by a way that already says whose it is.
    """

    name: str
    selector_kinds: tuple[str, ...]
    names_tenant: bool

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        """Whether the decoded JSON object is of this format, by its content alone."""
        ...

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        """The event in our words.

        Raises:
            DecodeError: a field is missing or of the wrong type; the message names it and says what it must be.
        """
        ...
