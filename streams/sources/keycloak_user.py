"""Keycloak user events: sign-ins, tokens, consents and accounts of a realm's users.

As the REST API (`GET /admin/realms/{realm}/events`) and event listeners send them. The listener form adds `realmName` and
explicit nulls. Fields: https://www.keycloak.org/docs-api/latest/rest-api/index.html#EventRepresentation; types:
https://www.keycloak.org/docs/latest/server_admin/#event-types. Unknown types are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from streams.sources.fields import identity, milliseconds, nested, required_text, text
from streams.sources.keycloak_realm import realm_selectors
from streams.sources.source import Normalised

DATASET: Final = "keycloak.user"

_CATEGORIES: Final = {
    "LOGOUT": "session",
    "USER_SESSION_DELETED": "session",
    "REGISTER": "iam",
    "DELETE_ACCOUNT": "iam",
    "RESET_PASSWORD": "iam",
    "VERIFY_EMAIL": "iam",
    "VERIFY_PROFILE": "iam",
    "GRANT_CONSENT": "iam",
    "REVOKE_GRANT": "iam",
    "EXECUTE_ACTIONS": "iam",
    "CUSTOM_REQUIRED_ACTION": "iam",
    "INVITE_ORG": "iam",
    "IDENTITY_PROVIDER_LINK_ACCOUNT": "iam",
    "CLIENT_INITIATED_ACCOUNT_LINKING": "iam",
    "USER_DISABLED_BY_TEMPORARY_LOCKOUT": "iam",
    "USER_DISABLED_BY_PERMANENT_LOCKOUT": "iam",
    "CLIENT_REGISTER": "configuration",
    "CLIENT_UPDATE": "configuration",
    "CLIENT_DELETE": "configuration",
    "CLIENT_INFO": "configuration",
    "REGISTER_NODE": "configuration",
    "UNREGISTER_NODE": "configuration",
}
"""ECS categories by type without `_ERROR`. What is not here and has no prefix of the next table is about authentication."""

_PREFIXES: Final = {
    "UPDATE_": "iam",
    "REMOVE_": "iam",
    "SEND_": "iam",
    "FEDERATED_IDENTITY_": "iam",
}


def normalise(raw: Mapping[str, Any]) -> Normalised:
    """The event in our words; it failed exactly when it has an `error`."""
    kind = required_text(raw, "type")
    return Normalised(
        selectors=realm_selectors(raw),
        id=identity(text(raw, "id")),
        time=milliseconds(raw, "time"),
        action=kind.lower(),
        category=category(kind),
        outcome="success" if raw.get("error") is None else "failure",
        dataset=DATASET,
        reason=text(raw, "error"),
        user_id=text(raw, "userId"),
        user_name=text(nested(raw, "details"), "username", "details."),
        client_id=text(raw, "clientId"),
        session_id=text(raw, "sessionId"),
        source_ip=text(raw, "ipAddress"),
    )


def category(kind: str) -> str:
    """The ECS category of a type of events."""
    return _remembered(kind) if len(kind) <= _LONGEST else _category(kind)


def _category(kind: str) -> str:
    base = kind.removesuffix("_ERROR")
    if base in _CATEGORIES:
        return _CATEGORIES[base]
    return next((category for prefix, category in _PREFIXES.items() if base.startswith(prefix)), "authentication")


_LONGEST: Final = 64  # characters of a type that is worth remembering; Keycloak's have 50 at most
_remembered = lru_cache(maxsize=1024)(_category)
