"""Keycloak admin events: what administrators changed in a realm.

As the REST API (`GET /admin/realms/{realm}/admin-events`) and event listeners send them. The listener form adds `realmName`,
`resourceTypeAsString`, `resourceId` and explicit nulls. Fields:
https://www.keycloak.org/docs-api/latest/rest-api/index.html#AdminEventRepresentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.sources.fields import identity, milliseconds, nested, required_text, text
from streams.sources.keycloak_realm import realm_selectors
from streams.sources.source import Normalised

DATASET: Final = "keycloak.admin"

_CATEGORIES: Final = {
    "USER_SESSION": "session",
    "USER_LOGIN_FAILURE": "session",
    "USER": "iam",
    "USER_PROFILE": "iam",
    "GROUP": "iam",
    "GROUP_MEMBERSHIP": "iam",
    "REALM_ROLE": "iam",
    "REALM_ROLE_MAPPING": "iam",
    "CLIENT_ROLE": "iam",
    "CLIENT_ROLE_MAPPING": "iam",
    "ORGANIZATION": "iam",
    "ORGANIZATION_MEMBERSHIP": "iam",
}
"""ECS categories by resource type. What is not here changes the realm's configuration."""


def normalise(raw: Mapping[str, Any]) -> Normalised:
    """The event in our words. `user`, `client` and `source` are the administrator's; the action is as `create_user`.

    An event listener's custom resource type is in `resourceTypeAsString`, while `resourceType` is null or `CUSTOM`.
    """
    operation = required_text(raw, "operationType")
    resource = text(raw, "resourceType")
    if resource is None or resource == "CUSTOM":
        resource = text(raw, "resourceTypeAsString") or resource
    admin = nested(raw, "authDetails")
    return Normalised(
        selectors=realm_selectors(raw),
        id=identity(text(raw, "id")),
        time=milliseconds(raw, "time"),
        action=(f"{operation}_{resource}" if resource else operation).lower(),
        category=_CATEGORIES.get(resource or "", "configuration"),
        outcome="success" if raw.get("error") is None else "failure",
        dataset=DATASET,
        reason=text(raw, "error"),
        user_id=text(admin, "userId", "authDetails."),
        client_id=text(admin, "clientId", "authDetails."),
        source_ip=text(admin, "ipAddress", "authDetails."),
    )
