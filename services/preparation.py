"""The preparation of indexes: at start, whether each tenant has one that matches its log. Nobody who is served waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from services.tenants.tenant import Tenants
from streams.errors import StreamsError
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 4
"""Tenants that are looked at together: most need one small file to be read."""
AGAIN_SECONDS: Final = 60.0
"""When it looks again at those that it could not do with: the trouble may have passed, as a full disk does."""


class Preparation:
    """Looks at each tenant's index, and has those built anew that are lost.

    JWKS, signing and the searches of tenants whose index is there go on meanwhile; a search of a lost one answers that it is being made.

    Attributes:
        left: how many tenants it has not looked at yet.
    """

    def __init__(self, processor: IndexProcessor, catch_up: CatchUp, tenants: Tenants) -> None:
        self._processor = processor
        self._catch_up = catch_up
        self._tenants = tenants
        self._task: asyncio.Task[None] | None = None
        self._said: dict[str, str] = {}
        self.left = 0

    def start(self, *, rebuild: bool) -> None:
        """Begins.

        Args:
            rebuild: whether it builds lost indexes itself. Where this process catches up, a lost index has a backlog, which that sees to.
        """
        scopes = [TenantScope(tenant.id) for tenant in self._tenants.all()]
        self.left = len(scopes)
        self._task = asyncio.create_task(self._run(scopes, rebuild=rebuild), name="index-preparation")

    async def stop(self) -> None:
        """Ends at once; the next start begins anew."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, scopes: list[TenantScope], *, rebuild: bool) -> None:
        again = await self._round(scopes, rebuild=rebuild, first=True)
        while again:
            await asyncio.sleep(AGAIN_SECONDS)
            again = await self._round(again, rebuild=rebuild, first=False)

    async def _round(self, scopes: list[TenantScope], *, rebuild: bool, first: bool) -> list[TenantScope]:
        """Looks at each of them once; those that it could not do with are the answer."""
        all_take, again = iter(scopes), list[TenantScope]()

        async def work() -> None:
            for scope in all_take:
                if not await self._done_with(scope, rebuild=rebuild):
                    again.append(scope)
                if first:
                    self.left -= 1

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())
        return again

    async def _done_with(self, scope: TenantScope, *, rebuild: bool) -> bool:
        try:
            if self._tenants.exists(scope.tenant) and not await self._processor.prepare(scope) and rebuild:
                await self._catch_up.rebuild(scope)
        except Exception as error:  # noqa: BLE001 -- one tenant's broken index must keep nobody else waiting, whatever it is
            if self._said.get(scope.tenant) != str(error):  # once, not each minute
                self._said[scope.tenant] = str(error)
                _log.error("index_unavailable", tenant=scope.tenant, error=str(error), exc_info=not isinstance(error, StreamsError))
            return False
        if self._said.pop(scope.tenant, None) is not None:
            _log.info("index_available", tenant=scope.tenant)
        return True
