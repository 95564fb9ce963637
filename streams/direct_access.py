"""The port `DirectAccess`: a tenant's own user at the search engine, where the engine has users."""

from __future__ import annotations

from typing import Protocol

from streams.scope import TenantScope


class DirectAccess(Protocol):
    """Lets a tenant ask the search engine itself: for its own events, and nobody else's."""

    async def grant(self, scope: TenantScope) -> tuple[str, str] | None:
        """A user who reads the tenant's events and nothing else, and the password, which is new each time and kept nowhere.

        None if the tenant shares an index with others, where no user could be kept from their events.

        Raises:
            IndexMissing: the tenant has no index.
            IndexUnavailable: the engine can't be asked now, or does not let Tenantry manage users; the message says which.
        """
        ...

    def index_of(self, scope: TenantScope) -> str:
        """The name by which the tenant's user searches its events."""
        ...

    async def revoke(self, scope: TenantScope) -> None:
        """Ends the tenant's user, if there is one.

        Raises:
            IndexUnavailable: as above.
        """
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...
