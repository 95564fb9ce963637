"""The source `okta`: events of Okta's System Log.

As `GET /api/v1/logs` returns them: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/; types:
https://developer.okta.com/docs/reference/api/event-types/. They do not name their org, so the way they took has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.sources.fields import identity, instant, nested, required_text, text
from streams.sources.source import Normalised, Source

_OUTCOMES: Final = {"SUCCESS": "success", "ALLOW": "success", "FAILURE": "failure", "DENY": "failure"}
"""CHALLENGE, SKIPPED, UNKNOWN and what comes later neither succeeded nor failed."""

_CATEGORIES: Final = {
    "user.session.start": "authentication",
    "user.session.": "session",
    "user.authentication.": "authentication",
    "user.mfa.": "authentication",
    "user.": "iam",
    "group.": "iam",
    "iam.": "iam",
    "app.oauth2.": "authentication",
    "application.user_membership.": "iam",
    "security.": "threat",
}
"""ECS categories by the first words of the type, the longer before the shorter. What is not here changes the org's configuration."""


class Okta(Source):
    """System Log events of Okta. `user` is the actor, whatever its type, and `client.id` the OAuth client."""

    name: str = "okta"
    selector_kinds: tuple[str, ...] = ()
    names_tenant: bool = False

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        return raw.get("uuid") is not None and raw.get("eventType") is not None and "published" in raw

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        kind = required_text(raw, "eventType")
        actor, client, result = nested(raw, "actor"), nested(raw, "client"), nested(raw, "outcome")
        outcome = _OUTCOMES.get(text(result, "result", "outcome.") or "", "unknown")
        return Normalised(
            selectors=(),
            id=identity(required_text(raw, "uuid")),
            time=instant(raw, "published"),
            action=kind.lower(),
            category=next((category for prefix, category in _CATEGORIES.items() if kind.startswith(prefix)), "configuration"),
            outcome=outcome,
            dataset="okta.system",
            reason=None if outcome == "success" else text(result, "reason", "outcome."),
            user_id=text(actor, "id", "actor."),
            user_name=text(actor, "alternateId", "actor."),
            client_id=text(client, "id", "client."),
            session_id=text(nested(raw, "authenticationContext"), "externalSessionId", "authenticationContext."),
            source_ip=text(client, "ipAddress", "client."),
            message=text(raw, "displayMessage"),
        )
