"""What a Keycloak event says about its realm, which is a tenant's source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.sources.fields import required_text, text
from streams.sources.source import Selector

SELECTOR_KINDS: Final = ("realm_id", "realm")


def realm_selectors(raw: Mapping[str, Any]) -> tuple[Selector, ...]:
    """The realm that the event happened in or changed: its id, and its name where the event has it.

    Never `authDetails.realmId`, which is the administrator's realm: usually `master`.
    """
    return selectors(required_text(raw, "realmId"), text(raw, "realmName"))


def selectors(realm_id: str, realm: str | None) -> tuple[Selector, ...]:
    """A realm's id, and its name where it is known."""
    strongest = Selector("realm_id", realm_id)
    return (strongest,) if realm is None else (strongest, Selector("realm", realm))
