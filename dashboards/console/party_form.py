"""The forms of a relying party: how it should be, and how it might be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.relying_party import RelyingParty

UNITS: Final = {"days": DAY, "hours": HOUR, "minutes": MINUTE, "seconds": SECOND}
"""Milliseconds; the longest first."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A duration as it is typed: a number, and a unit of `UNITS`."""

    number: str = ""
    unit: str = "hours"

    @classmethod
    def of(cls, ms: int | None) -> Self:
        """In the longest unit in which it is a whole number."""
        if ms is None:
            return cls()
        unit, length = next(((unit, length) for unit, length in UNITS.items() if ms and ms % length == 0), ("seconds", SECOND))
        return cls(f"{ms / length:g}" if ms % length else str(ms // length), unit)


@dataclass(frozen=True, slots=True)
class PartyForm:
    """A relying party as it is typed.

    Attributes:
        webhook: a new address; what is set is never shown again, since it may hold a secret.
        webhook_choice: `keep`, `set` or `none`.
    """

    id: str = ""
    name: str = ""
    contact: str = ""
    library: str = ""
    cached_for: Amount = Amount()
    own_url: bool = True
    webhook: str = ""
    webhook_choice: str = "set"

    @classmethod
    def of(cls, party: RelyingParty) -> Self:
        """As it is registered."""
        return cls(
            id=party.id,
            name=party.name,
            contact=party.contact or "",
            library=party.library or "",
            cached_for=Amount.of(party.cached_for),
            own_url=party.own_url,
            webhook_choice="keep" if party.webhook is not None else "none",
        )

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """As it was sent."""
        return cls(
            id=form.get("id", "").strip(),
            name=form.get("name", "").strip(),
            contact=form.get("contact", "").strip(),
            library=form.get("library", ""),
            cached_for=Amount(form.get("number", "").strip(), form.get("unit", "")),
            own_url="own_url" in form,
            webhook=form.get("webhook", "").strip(),
            webhook_choice=form.get("webhook_choice", "set"),
        )


@dataclass(frozen=True, slots=True)
class CheckForm:
    """How a relying party might keep a JWKS: what is asked about its survival. What is empty is as its library does it."""

    library: str = ""
    cached_for: Amount = Amount()
    never_expires: bool = False
    refetches: str = ""
    cooldown: Amount = Amount(unit="seconds")

    @classmethod
    def of(cls, party: RelyingParty) -> Self:
        """As it is registered."""
        return cls(party.library or "", Amount.of(party.cached_for))
