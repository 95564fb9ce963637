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
    realm_id = Selector("realm_id", required_text(raw, "realmId"))
    realm = text(raw, "realmName")
    return (realm_id,) if realm is None else (realm_id, Selector("realm", realm))
