"""The subjects of a tenant's log: an overview, sign-ins, and what administrators changed."""

from __future__ import annotations

from typing import Final

from dashboards.boards.question import Subject, count, timeline, top

_PEOPLE: Final = "NOT event.provider:tenantry"
"""Without what Tenantry says of itself."""
_SIGN_INS: Final = "event.category:authentication"
_FAILED: Final = f"{_SIGN_INS} AND event.outcome:failure"
_ADMIN: Final = "event.dataset:keycloak.admin OR (event.category:(iam OR configuration) AND NOT event.dataset:keycloak.user)"
"""Administrators' changes: Keycloak tells them apart by dataset, all others by category; Tenantry's own are those of settings and keys."""

OVERVIEW: Final = Subject(
    id="overview",
    title="Overview",
    about="What happened at this tenant: how much, by whom, from where.",
    questions=[
        count("events", "Events", _PEOPLE),
        count("failures", "Failures", f"{_PEOPLE} AND event.outcome:failure"),
        count("readers", "Looked at by people and programs", "event.provider:tenantry AND event.category:database"),
        timeline("events-by-outcome", "Events by outcome", _PEOPLE, "event.outcome"),
        top("actions", "What happens most", _PEOPLE, "event.action"),
        top("clients", "Clients", _PEOPLE, "client.id"),
        top("users", "Users", _PEOPLE, "user.name"),
        top("addresses", "Addresses", _PEOPLE, "source.ip"),
        top("own", "What was done with this tenant's log and keys", "event.provider:tenantry", "event.action"),
    ],
    query="",
    columns=["event.action", "event.outcome", "user.name", "client.id", "source.ip"],
)

SIGN_INS: Final = Subject(
    id="sign-ins",
    title="Sign-ins",
    about="Who signs in, who fails to, and why: guessed passwords are many failures of one address, or of one user.",
    questions=[
        count("signed-in", "Succeeded", f"{_SIGN_INS} AND event.outcome:success"),
        count("not-signed-in", "Failed", _FAILED),
        timeline("sign-ins-by-outcome", "Sign-ins by outcome", _SIGN_INS, "event.outcome"),
        timeline("failed-sign-ins-by-reason", "Failed sign-ins by reason", _FAILED, "event.reason"),
        top("failed-users", "Users who fail most", _FAILED, "user.name"),
        top("failed-addresses", "Addresses that fail most", _FAILED, "source.ip"),
        top("failed-clients", "Clients where people fail most", _FAILED, "client.id"),
        top("sign-in-actions", "Kinds of sign-ins", _SIGN_INS, "event.action"),
    ],
    query=_FAILED,
    columns=["event.action", "event.reason", "user.name", "client.id", "source.ip"],
)

ADMIN_CHANGES: Final = Subject(
    id="admin-changes",
    title="Admin changes",
    about="What administrators changed at the identity provider, and what was changed of this tenant's keys and settings.",
    questions=[
        count("changes", "Changes", _ADMIN),
        timeline("changes-by-action", "Changes over time", _ADMIN, "event.action"),
        top("changed", "What was changed", _ADMIN, "event.action"),
        top("admin-clients", "With which client", _ADMIN, "client.id"),
        top("admin-addresses", "From where", _ADMIN, "source.ip"),
        top("key-changes", "Keys and settings", "event.provider:tenantry AND event.category:(iam OR configuration)", "event.action"),
    ],
    query=_ADMIN,
    columns=["event.action", "event.outcome", "user.id", "client.id", "source.ip", "event.provider"],
)

SUBJECTS: Final = (OVERVIEW, SIGN_INS, ADMIN_CHANGES)
