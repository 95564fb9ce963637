"""The syntax tree of a query: what is asked, with fields resolved and values typed, and no engine in sight."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchAll:
    """Every event."""


@dataclass(frozen=True, slots=True)
class Term:
    """The field's value is exactly `value`. For IP fields the address in its canonical text. `field` may be `idp.some.path`."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """The field's value starts with `value`; `field:*` is the empty prefix: the field is there."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words, as `streams.query.words.words` makes them, follow each other within one value.

    `field` None looks into all the fields with `words=True`. With `prefix`, the last word need only begin so.
    """

    field: str | None
    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A date field's value is in `[first, last]`, epoch milliseconds, both included; None is open."""

    field: str
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class AddressRange:
    """An IP field's address is in `[first, last]`, both included, as the integers of their IPv6 (IPv4-mapped) form."""

    field: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this one."""

    part: Query


Query = MatchAll | Term | Prefix | Words | TimeRange | AddressRange | And | Or | Not
