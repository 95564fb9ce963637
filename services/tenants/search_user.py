"""A tenant's own user at the search engine, on request: given, renewed and taken away, each in the control log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.access.principal import Principal
from services.access.scopes import Scope
from services.errors import Conflict, Forbidden, NotFound
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.direct_access import DirectAccess
from streams.event import iso
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class SearchUser:
    """A tenant's user at the search engine, and the index that it may search."""

    index: str
    user: str
    password: str = field(repr=False)


class SearchUsers:
    """The tenants' users. A user that is there is on record, whatever fails, crashes or happens at the same time.

    In this process a tenant's commands take turns. Those of other processes are seen in the control log: what it says last holds, and
    whoever finds that it is not theirs undoes what they have done.

    Args:
        control: the control log.
        tenants: the tenants' state.
        access: the search engine's users; None if it has none.
    """

    def __init__(self, control: ControlLog, tenants: Tenants, access: DirectAccess | None) -> None:
        self._control = control
        self._tenants = tenants
        self._access = access
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def grant(self, scope: TenantScope, by: Principal, now: int) -> SearchUser:
        """The user; a password given before ends.

        Raises:
            Forbidden: it would read more, or for longer, than the token that asks.
            NotFound: the tenant was deleted meanwhile.
            Conflict: the search engine of this installation has no users, the tenant is pooled, or the user was taken away meanwhile.
            IndexUnavailable: the engine can't be asked now.
        """
        _allow(by)
        engine = self._engine()
        if self._tenants.pooled(scope.tenant):
            raise Conflict(f"tenant {scope.tenant!r} shares its index with others, whose events a user of its own would reach")
        async with self._turns[scope.tenant]:
            # First the log: who could read a tenant's events must be on record, whatever crashes.
            await self._record(scope, "search_user_granted", by, now)
            granted = await engine.grant(scope)
            assert granted is not None, "it has an index of its own"
            await self._control.catch_up()
            if not self._may_have_one(scope):
                await engine.revoke(scope)
                raise Conflict(f"the user of tenant {scope.tenant!r} was taken away while it was given; ask again if there is to be one")
            return SearchUser(engine.index_of(scope), *granted)

    async def revoke(self, scope: TenantScope, by: Principal, now: int) -> None:
        """Ends the user. Doing it again changes nothing but the log.

        Raises:
            NotFound: the tenant was deleted meanwhile, which ends its user, too.
            Conflict: the search engine of this installation has no users.
            IndexUnavailable: the engine can't be asked now: the user may still be there.
        """
        engine = self._engine()
        async with self._turns[scope.tenant]:
            await engine.revoke(scope)
            await self._record(scope, "search_user_revoked", by, now)
            # Once more: another process may have made it between the two. From now on, those see in the log that they must not.
            if not self._may_have_one(scope):
                await engine.revoke(scope)

    async def end(self, scope: TenantScope) -> None:
        """Ends the user of a deleted tenant, if it was given one.

        Raises:
            IndexUnavailable: the engine can't be asked now: the user may still be there.
        """
        tenant = self._tenants.find(scope.tenant)
        if self._access is not None and tenant is not None and tenant.search_user:
            async with self._turns[scope.tenant]:
                await self._access.revoke(scope)

    def _engine(self) -> DirectAccess:
        if self._access is None:
            raise Conflict("the embedded search engine has no users: search over the API, or set TENANTRY_INDEX_URL to an OpenSearch")
        return self._access

    def _may_have_one(self, scope: TenantScope) -> bool:
        tenant = self._tenants.find(scope.tenant)
        return tenant is not None and tenant.deleted_at is None and tenant.search_user

    async def _record(self, scope: TenantScope, kind: str, by: Principal, now: int) -> None:
        async def decide() -> Sequence[ControlEvent]:
            if not self._tenants.exists(scope.tenant):
                raise NotFound(f"tenant {scope.tenant!r} was deleted meanwhile, and has no user any more")
            return [ControlEvent(type=kind, at=now, by=by.id)]

        await self._control.commit(scope.tenant, decide)


def _allow(by: Principal) -> None:
    """As for tokens (`services.access.tokens`): nobody gives what they don't hold, and nothing that outlives them."""
    if Scope.EVENTS_READ not in by.scopes:
        raise Forbidden(f"a search user reads the tenant's events: ask with a token that has the scope {Scope.EVENTS_READ.value}, too")
    if by.expires_at is not None:
        raise Forbidden(
            f"a search user can't outlive the token that asks for it, which ends at {iso(by.expires_at)}: ask with one that stays"
        )
