"""What this node has signed and not yet written down, counted in memory by key: no token costs a record of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from keyvault.usage import Usage
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Counted:
    """What one key of a tenant has signed since it was written down last."""

    scope: TenantScope
    kid: str
    usage: Usage = field(default_factory=Usage)


class UsageCounter:
    """Counts the tokens that are given out. It holds a few kilobytes for each key that has signed since it was taken last."""

    def __init__(self, secret: bytes, now: Callable[[], int]) -> None:
        """Counts by the clock `now`.

        Args:
            secret: of the installation, so that all its nodes count the same subject as one.
            now: epoch milliseconds.
        """
        self._secret = secret
        self._now = now
        self._counted: dict[str, dict[str, Counted]] = {}

    def count(self, scope: TenantScope, kid: str, claims: Mapping[str, Any], expires_at: int) -> None:
        """Counts a token that this key has signed, with these claims, until then (epoch milliseconds)."""
        keys = self._counted.setdefault(scope.tenant, {})
        if (counted := keys.get(kid)) is None:
            counted = keys[kid] = Counted(scope, kid)
        counted.usage.add(claims, expires_at, self._now(), self._secret_of(scope))

    def of(self, tenant: str) -> Mapping[str, Counted]:
        """What the tenant's keys have signed since it was taken last, by `kid`."""
        return self._counted.get(tenant, {})

    def tenants(self) -> list[str]:
        """Those whose keys have signed since they were taken last."""
        return list(self._counted)

    def take(self, tenant: str) -> list[Counted]:
        """What was counted of a tenant, by key; it is counted anew from now on."""
        return list(self._counted.pop(tenant, {}).values())

    def put_back(self, counted: Counted) -> None:
        """Takes back what was taken and could not be written down."""
        since = self._counted.setdefault(counted.scope.tenant, {}).setdefault(counted.kid, counted)
        if since is not counted:
            since.usage.join(counted.usage)

    def _secret_of(self, scope: TenantScope) -> bytes:
        # A subject of one tenant must not be found in another's sketch.
        return blake2b(scope.tenant.encode(), key=self._secret, digest_size=32).digest()


def secret_of_subjects(installation: bytes) -> bytes:
    """The secret of `UsageCounter`, of the installation's own, which seals cursors: neither tells anything of the other."""
    return blake2b(b"", key=installation, person=b"key usage", digest_size=32).digest()
