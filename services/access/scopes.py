"""The scopes of tokens."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a token lets its holder do, in its tenant."""

    EVENTS_READ = "events:read"
    """Search, tail, count and export the log."""
    EVENTS_WRITE = "events:write"
    """Send events."""
    KEYS_READ = "keys:read"
    """See the key ring and the past JWKS. (The present JWKS is public.)"""
    KEYS_ROTATE = "keys:rotate"
    """Rotate and activate keys, change the policy; with `tenant:admin`, import keys, whose holders sign as the tenant."""
    KEYS_REVOKE = "keys:revoke"
    """Compromise and destroy keys."""
    TOKENS_SIGN = "tokens:sign"
    """Have tokens signed: for identity providers."""
    TENANT_ADMIN = "tenant:admin"
    """The tenant's own settings and tokens."""
    PLATFORM_ADMIN = "platform:admin"
    """Operators only: tenants, their sources, everything."""


TENANT_SCOPES = frozenset(Scope) - {Scope.PLATFORM_ADMIN}
"""What a tenant's token can hold."""
