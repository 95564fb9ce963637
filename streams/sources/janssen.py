"""The source `janssen`: the OAuth audit log of Janssen's authorization server (jans-auth).

Objects of its class `OAuth2AuditLog`, as it writes them to its log file or to a message queue, pretty-printed or in one line:
https://docs.jans.io/stable/janssen-server/auth-server/logging/audit-logs/; actions: its enum `Action`. They have no id, so that the
event gets one from where it was read, and no tenant, so that it comes from the way they took or from a tenant's `client_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.sources.fields import flag, milliseconds, required_text, text
from streams.sources.source import Normalised, Selector, Source

_OUTCOMES: Final = {True: "success", False: "failure", None: "unknown"}

_PREFIXES: Final = {
    "SESSION_AUTHENTICATED": "authentication",
    "SESSION_UNAUTHENTICATED": "authentication",
    "SESSION_": "session",
    "CLIENT_": "configuration",
    "SSA_": "configuration",
}
"""ECS categories by the action's first words (SSA: software statement assertions, which let clients register themselves). What is
not here is about authentication: TOKEN_REQUEST, USER_AUTHORIZATION, USER_INFO, BACKCHANNEL_AUTHENTICATION, …"""


class Janssen(Source):
    """Audit log entries of Janssen. `username` is the name used to sign in, for want of which it has the user's id."""

    name: str = "janssen"
    selector_kinds: tuple[str, ...] = ("client_id",)
    names_tenant: bool = False

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        return raw.get("action") is not None and "timestamp" in raw and "ip" in raw and ("success" in raw or "macAddress" in raw)

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        action = required_text(raw, "action")
        client = text(raw, "clientId")
        return Normalised(
            selectors=() if client is None else (Selector("client_id", client),),
            id=None,
            time=milliseconds(raw, "timestamp"),
            action=action.lower(),
            category=next((category for prefix, category in _PREFIXES.items() if action.startswith(prefix)), "authentication"),
            outcome=_OUTCOMES[flag(raw, "success")],
            dataset="janssen.audit",
            user_name=text(raw, "username"),
            client_id=client,
            source_ip=text(raw, "ip"),
        )
