"""The preparation of indexes: at start, whether each tenant has one that matches its log. Nobody who is served waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
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


class Preparation:
    """Looks at each tenant's index, and has those built anew that are lost.

    JWKS, signing and the searches of tenants whose index is there go on meanwhile; a search of a lost one answers that it is being made.

    Attributes:
        left: how many tenants it has not done with.
    """

    def __init__(self, processor: IndexProcessor, catch_up: CatchUp, tenants: Tenants) -> None:
        self._processor = processor
        self._catch_up = catch_up
        self._tenants = tenants
        self._task: asyncio.Task[None] | None = None
        self.left = 0

    def start(self, *, rebuild: bool) -> None:
        """Begins.

        Args:
            rebuild: whether it builds lost indexes itself. Where this process catches up, a lost index has a backlog, which that sees to.
        """
        scopes = [TenantScope(tenant.id) for tenant in self._tenants.all()]
        self.left = len(scopes)
        self._task = asyncio.create_task(self._run(iter(scopes), rebuild=rebuild), name="index-preparation")

    async def stop(self) -> None:
        """Ends at once; the next start begins anew."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, scopes: Iterator[TenantScope], *, rebuild: bool) -> None:
        async def work() -> None:
            for scope in scopes:  # all take from the same
                await self._prepare(scope, rebuild=rebuild)
                self.left -= 1

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())

    async def _prepare(self, scope: TenantScope, *, rebuild: bool) -> None:
        try:
            if not await self._processor.prepare(scope) and rebuild:
                await self._catch_up.rebuild(scope)
        except StreamsError as error:
            # One tenant's broken index must keep nobody else waiting.
            _log.error("index_unavailable", tenant=scope.tenant, error=str(error))
