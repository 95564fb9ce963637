"""The source `auth0`: tenant log events of Auth0.

As the Management API (`GET /api/v2/logs`) returns them, or in the envelope `{"log_id": …, "data": {…}}` of Log Streaming. Fields:
https://github.com/auth0/auth0-log-schemas; types: https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.sources.auth0_types import category, outcome
from streams.sources.fields import identity, instant, nested, required_text, text
from streams.sources.source import Normalised, Selector, Source


class Auth0(Source):
    """Log events of Auth0, each of which names its Auth0 tenant. `description` is its message and, where it failed, the reason."""

    name: str = "auth0"
    selector_kinds: tuple[str, ...] = ("tenant_name",)
    names_tenant: bool = True

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        if raw.get("log_id") is None:
            return False
        event = raw.get("data") if _is_envelope(raw) else raw
        return isinstance(event, Mapping) and event.get("type") is not None and "date" in event

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        event = nested(raw, "data") if _is_envelope(raw) else raw
        kind = required_text(event, "type")
        result = outcome(kind)
        description = text(event, "description")
        return Normalised(
            selectors=(Selector("tenant_name", required_text(event, "tenant_name")),),
            id=identity(required_text(raw, "log_id")),
            time=instant(event, "date"),
            action=kind.lower(),
            category=category(kind),
            outcome=result,
            dataset="auth0.log",
            reason=description if result == "failure" else None,
            user_id=text(event, "user_id"),
            user_name=text(event, "user_name"),
            client_id=text(event, "client_id"),
            session_id=_session_id(event),
            source_ip=text(event, "ip"),
            message=description,
        )


def _is_envelope(raw: Mapping[str, Any]) -> bool:
    return raw.get("type") is None and "data" in raw


def _session_id(event: Mapping[str, Any]) -> str | None:
    # The shape of `details` depends on the type; signing out is documented to have the session there.
    details = event.get("details")
    session = details.get("session_id") if isinstance(details, Mapping) else None
    return session if isinstance(session, str) and session else None
