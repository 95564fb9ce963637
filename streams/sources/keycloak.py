"""The source `keycloak`: user and admin events, which share their topics and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources import keycloak_admin, keycloak_log, keycloak_user
from streams.sources.keycloak_realm import SELECTOR_KINDS
from streams.sources.source import Normalised, Source


class Keycloak(Source):
    """Events of Keycloak, in the form of its REST API or of its event listeners. Every event names its realm."""

    name: str = "keycloak"
    selector_kinds: tuple[str, ...] = SELECTOR_KINDS
    names_tenant: bool = True

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        if raw.get("realmId") is not None and (raw.get("operationType") or raw.get("type")):
            return True
        return keycloak_log.is_record(raw)  # to be refused with a reason that helps

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        # Listeners write explicit nulls, so it is the value that counts.
        if raw.get("operationType"):
            return keycloak_admin.normalise(raw)
        if raw.get("type") is not None:
            return keycloak_user.normalise(raw)
        if keycloak_log.is_record(raw):
            raise keycloak_log.refusal()
        raise DecodeError(
            Reason.MISSING_FIELD, "`type` or `operationType` is missing; a Keycloak user event has the one, an admin event the other"
        )
