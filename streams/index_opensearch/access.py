"""Who may ask OpenSearch itself: Tenantry's own user, and a user of each tenant that wants one.

A tenant's user reads the tenant's own index, whichever generation it is. There is none for a pooled tenant: the security plugin decides by
the index behind an alias, not by its filter, and its rules on documents do not hold (in 2.19.4, a `global` aggregation counts what
they hide). Who wants a user of its own gets an index of its own first, by a rebuild.

Roles of one user are added to each other, so we give a tenant's user this one role. A mapping of `*` gives it others: of those that the
plugin brings, `own_index` is mapped so, and the user's name makes that worth nothing (see `streams.index_opensearch.names`).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from streams.direct_access import DirectAccess
from streams.errors import IndexMissing, IndexUnavailable
from streams.index_opensearch.client import Client, Refused
from streams.index_opensearch.connection import OpenSearchConnection
from streams.index_opensearch.names import Names
from streams.index_opensearch.tenants import Tenants
from streams.scope import TenantScope

T = TypeVar("T")
_API: Final = "/_plugins/_security/api"
_READ: Final = ["indices:data/read/search*", "indices:data/read/get", "indices:data/read/mget*", "indices:data/read/field_caps*"]
"""What a tenant may do with its index. Not `read`, which takes in more than searching."""
_REQUESTS: Final = ["indices:data/read/mget", "indices:data/read/msearch"]
"""What consists of many requests is let in as a whole, and each of them is decided on."""


def service_role(prefix: str) -> dict[str, Any]:
    """The role that Tenantry's own user needs, as the security plugin's API takes it: its own indexes, and nothing else.

    Args:
        prefix: what the names of its indexes begin with. Not those of another installation, whose prefix may begin with this one.
    """
    names = Names(prefix, pools=1)
    actions = [
        "indices:admin/aliases",
        "indices:admin/aliases/get",
        "indices:admin/block/add",
        "indices:admin/create",
        "indices:admin/delete",
        "indices:admin/refresh*",
        "indices:data/read/get",
        "indices:data/read/search",
        "indices:data/write/bulk*",
        "indices:data/write/delete",
        "indices:data/write/index",
    ]
    return {
        "description": "What Tenantry does: to its own indexes, and nobody else's",
        "cluster_permissions": ["indices:data/write/bulk"],
        "index_permissions": [{"index_patterns": [names.aliases, names.every_pool], "allowed_actions": actions}],
    }


class TenantAccess(DirectAccess):
    """Gives tenants users of their own. Its user must be one whom the security plugin lets manage users and roles.

    Args:
        connection: where OpenSearch is, and as whom to ask it.
    """

    def __init__(self, connection: OpenSearchConnection) -> None:
        self._client = Client(connection)
        self._names = Names(connection.prefix, connection.pools)
        self._tenants = Tenants(self._client, self._names)

    async def grant(self, scope: TenantScope) -> tuple[str, str] | None:
        """A user who reads the tenant's events and nothing else, and the password, which is new each time and kept nowhere.

        None if the tenant shares an index with others, where no user could be kept from their events.

        Raises:
            IndexMissing: the tenant has no index.
            IndexUnavailable: OpenSearch can't be asked, or has no security.
        """
        index = await self._asked(self._tenants.look(scope.tenant))
        if index is None:
            raise IndexMissing(scope.tenant)
        if self._names.pooled(index):
            return None
        name = self._names.reader(scope.tenant)
        password = secrets.token_urlsafe(24) + "-Aa1"  # whatever kinds of signs the plugin is told to ask for
        # The user last: without its role it could do nothing, without its mapping neither.
        await self._put("roles", name, self._role(scope))
        await self._put("rolesmapping", name, {"users": [name], "backend_roles": [], "hosts": []})
        await self._put("internalusers", name, {"password": password, "backend_roles": [], "description": f"reads {scope.tenant}"})
        return name, password

    def index_of(self, scope: TenantScope) -> str:
        """The tenant's alias, by which its user searches its events."""
        return self._names.alias(scope.tenant)

    async def revoke(self, scope: TenantScope) -> None:
        """Ends the tenant's user, if there is one."""
        for kind in ("internalusers", "rolesmapping", "roles"):
            try:
                await self._client.ask("DELETE", f"{_API}/{kind}/{self._names.reader(scope.tenant)}")
            except Refused as error:
                if error.status != 404:
                    raise self._told(error) from None

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    def _role(self, scope: TenantScope) -> dict[str, Any]:
        own = {"index_patterns": [self._names.generations(scope.tenant)], "allowed_actions": _READ}
        return {"cluster_permissions": _REQUESTS, "index_permissions": [own]}

    async def _put(self, kind: str, name: str, value: dict[str, Any]) -> None:
        await self._asked(self._client.ask("PUT", f"{_API}/{kind}/{name}", value))

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Refused as error:
            raise self._told(error) from None

    @staticmethod
    def _told(error: Refused) -> IndexUnavailable:
        if error.status in {400, 404, 405}:
            return IndexUnavailable(
                f"OpenSearch does not take users and roles ({error.status}); ask again, then see that it has its security plugin"
            )
        return IndexUnavailable(f"OpenSearch refuses to change users and roles ({error}); see that the user may manage them")
