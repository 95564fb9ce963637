"""What a deleted tenant leaves at the engines, and that it is taken away, however often that has to be tried."""

from __future__ import annotations

from collections.abc import Sequence

from services.tenants.search_user import SearchUsers
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.processors.index import IndexProcessor
from streams.scope import TenantScope


class Forgetting:
    """Takes a deleted tenant's index away, and its user at the search engine, if it has one.

    The deletion is in the control log before: whatever fails or crashes after it leaves a tenant that is deleted and not forgotten
    (`Tenants.unfinished`), with which the next start, or the same command, goes on.
    """

    def __init__(self, control: ControlLog, tenants: Tenants, users: SearchUsers, processor: IndexProcessor) -> None:
        self._control = control
        self._tenants = tenants
        self._users = users
        self._processor = processor

    async def forget(self, scope: TenantScope, by: str, now: int) -> None:
        """Returns when nothing is left, and that is in the control log. Doing it again does no harm.

        Raises:
            IndexUnavailable: the user or the index may still be there. One that can't be taken away does not keep the other.
            LogUnavailable: nothing is left, but that is not on record.
        """
        try:
            await self._users.end(scope)
        finally:
            await self._processor.drop(scope)

        async def decide() -> Sequence[ControlEvent]:
            tenant = self._tenants.find(scope.tenant)
            if tenant is None or tenant.deleted_at is None or tenant.forgotten:
                return []
            return [ControlEvent(type="tenant_forgotten", at=now, by=by)]

        await self._control.commit(scope.tenant, decide)
