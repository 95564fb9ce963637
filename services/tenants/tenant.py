"""The tenants, folded from the control log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streams.control_log import ControlEvent, Projection

Isolation = Literal["separate", "pooled"]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the platform; times are epoch milliseconds.

    Attributes:
        isolation: whether its events have a search index of their own (`separate`) or share one with other small tenants' (`pooled`).
        search_user: whether it has a user of its own at the search engine.
        issuer: the `iss` of its tokens (RFC 8414), or None for the default under the public URL.
        deleted_at: when it was deleted; its id is never used again, because its events stay in the log.
        forgotten: whether nothing is left of a deleted one at the engines: no index, no user.
        keys_destroyed: whether the key store has destroyed all private keys of a deleted one, and none can appear there any more.
    """

    id: str
    display_name: str
    issuer: str | None
    created_at: int
    deleted_at: int | None = None
    isolation: Isolation = "separate"
    search_user: bool = False
    forgotten: bool = False
    keys_destroyed: bool = False


class Tenants(Projection):
    """All tenants, by id."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `tenant_created`, `_changed`, `_deleted`, `_forgotten` and `_keys_destroyed`, and `search_user_granted` and `_revoked`."""
        if event.type == "tenant_created":
            isolation: Isolation = event.data.get("isolation", "separate")
            self._tenants[key] = Tenant(key, event.data["display_name"], event.data.get("issuer"), event.at, isolation=isolation)
        elif event.type == "tenant_changed":
            self._tenants[key] = replace(self._tenants[key], display_name=event.data["display_name"], issuer=event.data.get("issuer"))
        elif event.type in {"search_user_granted", "search_user_revoked"}:
            self._tenants[key] = replace(self._tenants[key], search_user=event.type == "search_user_granted")
        elif event.type == "tenant_deleted":
            self._tenants[key] = replace(self._tenants[key], deleted_at=event.at)
        elif event.type == "tenant_forgotten":
            self._tenants[key] = replace(self._tenants[key], forgotten=True)
        elif event.type == "tenant_keys_destroyed":
            self._tenants[key] = replace(self._tenants[key], keys_destroyed=True)

    def find(self, tenant: str) -> Tenant | None:
        """The tenant, also a deleted one."""
        return self._tenants.get(tenant)

    def known(self, tenant: str) -> bool:
        """Whether there is such a tenant, or was."""
        return tenant in self._tenants

    def exists(self, tenant: str) -> bool:
        """Whether there is such a tenant, not deleted."""
        found = self._tenants.get(tenant)
        return found is not None and found.deleted_at is None

    def pooled(self, tenant: str) -> bool:
        """Whether the tenant shares its search index."""
        found = self._tenants.get(tenant)
        return found is not None and found.isolation == "pooled"

    def all(self) -> Sequence[Tenant]:
        """The tenants that were not deleted, by id."""
        return sorted((tenant for tenant in self._tenants.values() if tenant.deleted_at is None), key=lambda tenant: tenant.id)

    def unfinished(self) -> Sequence[Tenant]:
        """The deleted tenants of whom the engines may still hold something."""
        return [tenant for tenant in self._tenants.values() if tenant.deleted_at is not None and not tenant.forgotten]

    def with_keys(self) -> Sequence[Tenant]:
        """The deleted tenants of whom the key store may still hold private keys."""
        return [tenant for tenant in self._tenants.values() if tenant.deleted_at is not None and not tenant.keys_destroyed]
