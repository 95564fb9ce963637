"""Catching up: what tenants with a backlog miss in their indexes is read again from the tenant log, by and by."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

import structlog

from streams.errors import IndexBeingBuilt, IndexMissing, LogUnavailable, StreamsError
from streams.event_log import TENANT_LOG, EventLog
from streams.metrics import BACKLOGS
from streams.processors.backlog import EXPIRES_SECONDS, RENEWED_SECONDS, Backlog, Backlogs
from streams.processors.index import IndexProcessor
from streams.replay import replay
from streams.scope import TenantScope
from streams.search_index import SearchIndex

_log = structlog.get_logger(__name__)
_ROUND_SECONDS: Final = 1.0
_AT_ONCE: Final = 4
_LONGEST_PAUSE_SECONDS: Final = 60.0
_RECORDS: Final = 50
_STEP: Final = 500
_ORPHANED_MS: Final = 60_000
"""A backlog that nobody has got on with for so long may be caught up by anybody: reading twice changes nothing."""
_NEW_SECONDS: Final = 2.0
"""How long who registers a tenant has to make its index, before it counts as lost: events may be faster."""
_LOOK_SECONDS: Final = 0.1
_STOPS_SECONDS: Final = EXPIRES_SECONDS * 2 / 3


class CatchUp:
    """Catches up the backlogs that this process has opened, and those that nobody seems to care for.

    Args:
        log: where what is missing is read.
        index: where it is missing.
        processor: writes it.
        backlogs: whose it is.
        alone: whether no other process can be at it: then it cares for all, also for what it had opened before a crash.
    """

    def __init__(self, log: EventLog, index: SearchIndex, processor: IndexProcessor, backlogs: Backlogs, *, alone: bool = False) -> None:
        self._log = log
        self._alone = alone
        self._index = index
        self._processor = processor
        self._backlogs = backlogs
        self._task: asyncio.Task[None] | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, tuple[float, float]] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def start(self) -> None:
        """Starts."""
        self._task = asyncio.create_task(self._run(), name="catch-up")

    async def stop(self) -> None:
        """Ends at once: whatever was under way begins again elsewhere."""
        running = [*([self._task] if self._task is not None else []), *self._running.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._processor.opened.wait(), _ROUND_SECONDS)
            self._processor.opened.clear()
            found = self._backlogs.all()
            BACKLOGS.set(len(found))
            for backlog in found:
                due = self._not_before.get(backlog.tenant, (0.0, 0.0))[1]
                if (
                    len(self._running) < _AT_ONCE
                    and backlog.tenant not in self._running
                    and due <= time.monotonic()
                    and self._ours(backlog)
                ):
                    self._running[backlog.tenant] = asyncio.create_task(self._try(backlog), name=f"catch-up-{backlog.tenant}")

    async def _try(self, backlog: Backlog) -> None:
        """Each tenant by itself: a long backlog must not hold up the others'."""
        try:
            done = await self.catch_up(backlog)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is tried again
            _log.warning("catch_up_failed", tenant=backlog.tenant, error=str(error), kind=type(error).__name__)
            done = False
        finally:
            self._running.pop(backlog.tenant, None)
        if done:
            self._not_before.pop(backlog.tenant, None)
        else:
            pause = self._not_before.get(backlog.tenant, (_ROUND_SECONDS, 0.0))[0]
            self._not_before[backlog.tenant] = (min(2 * pause, _LONGEST_PAUSE_SECONDS), time.monotonic() + pause)

    def _ours(self, backlog: Backlog) -> bool:
        if backlog.builder:
            return self._backlogs.free(backlog)
        if self._alone or backlog.tenant in self._processor.opened_here:
            return True
        return time.time_ns() // 1_000_000 - backlog.moved_at > _ORPHANED_MS

    async def catch_up(self, backlog: Backlog) -> bool:
        """Whether the backlog is closed: everything is in the tenant's index.

        Raises:
            IndexBeingBuilt: another process builds the index anew.
            StreamsError: the log or the index can't be used now.
        """
        scope = TenantScope(backlog.tenant)
        async with self._locks[backlog.tenant]:
            found = self._backlogs.of(backlog.tenant)
            if found is None:
                return True
            # With a builder: somebody has died over it, and may have left a part of an index.
            if found.builder or not await self._has_index(scope, found):
                await self._build(scope, lambda _: None)
                found = self._backlogs.of(backlog.tenant)
            return found is None or await self._close(scope, found)

    async def _has_index(self, scope: TenantScope, backlog: Backlog) -> bool:
        while True:
            try:
                await self._processor.check(scope)
            except IndexMissing:
                if self._backlogs.idle(backlog) > _NEW_SECONDS:
                    _log.warning("index_lost", tenant=scope.tenant, does="it is built anew from the log")
                    return False
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return True

    async def rebuild(self, scope: TenantScope, progress: Callable[[int], None] = lambda _: None) -> int:
        """Builds the tenant's index anew from the log, while the old one answers and workers go on; how many events it has.

        Args:
            scope: the tenant.
            progress: is told how many events are done.

        Raises:
            IndexBeingBuilt: another process does it already.
            IndexMissing: the tenant was deleted meanwhile.
        """
        async with self._locks[scope.tenant]:
            done = await self._build(scope, progress)
            backlog = self._backlogs.of(scope.tenant)
            if backlog is not None and not await self._close(scope, backlog):
                self._processor.opened.set()
        return done

    async def _build(self, scope: TenantScope, progress: Callable[[int], None]) -> int:
        """Fills a new index. What is written into the old one meanwhile would be lost by the swap, so the tenant is passed over."""
        if await self._processor.gone(scope):
            return 0
        await self._processor.fall_behind(scope)
        found = self._backlogs.of(scope.tenant)
        taken_over = found is not None and bool(found.builder)
        await self._claim(scope)
        building = replay(self._log, self._index, scope, progress, lambda: self._claim(scope), pooled=self._processor.pooled(scope))
        try:
            done = await self._renewing(scope, building)
        except Exception:
            if not taken_over:  # what was there before is there still, whole
                with contextlib.suppress(StreamsError):
                    await self._backlogs.release(scope.tenant)
            raise
        if not await self._processor.gone(scope) and not await self._backlogs.release(scope.tenant):
            raise IndexBeingBuilt(scope.tenant)
        return done

    async def _claim(self, scope: TenantScope) -> None:
        if not await self._backlogs.claim(scope.tenant):
            raise IndexBeingBuilt(scope.tenant) if self._processor.exists(scope) else IndexMissing(scope.tenant)

    async def _renewing(self, scope: TenantScope, building: Coroutine[Any, Any, int]) -> int:
        """Builds, as long as the claim can be renewed: who can't must be out of the way before somebody else begins."""
        task = asyncio.create_task(building, name=f"build-{scope.tenant}")
        try:
            until = time.monotonic() + _STOPS_SECONDS
            while not (await asyncio.wait({task}, timeout=RENEWED_SECONDS))[0]:
                with contextlib.suppress(LogUnavailable):
                    async with asyncio.timeout(until - time.monotonic()):
                        await self._claim(scope)
                    until = time.monotonic() + _STOPS_SECONDS
        except TimeoutError:
            raise LogUnavailable(f"the claim to build the index of tenant {scope.tenant!r} can't be renewed in the control log") from None
        finally:
            task.cancel()
            await asyncio.wait({task})
        return task.result()

    async def _close(self, scope: TenantScope, backlog: Backlog) -> bool:
        start = backlog.offset
        while (reached := await self._read(scope, start, _STEP)) != start:
            if reached is None:
                return False
            # Whoever tails the tenant's log goes on meanwhile.
            await self._backlogs.reached(replace(backlog, offset=start), reached)
            start = reached
        await self._backlogs.closing(backlog)
        if await self._read(scope, start) is None:
            await self._backlogs.open([backlog.tenant], backlog.partition, start)
            return False
        closed = await self._backlogs.close(backlog)
        if closed:
            self._processor.opened_here.discard(backlog.tenant)
            _log.info("backlog_closed", tenant=backlog.tenant)
        return closed

    async def _read(self, scope: TenantScope, start: int, most: int | None = None) -> int | None:
        """Indexes the tenant's segments from `start` on, or `most` of them: the offset behind them, or None if the index refuses."""
        done = 0
        while records := await self._log.read(TENANT_LOG, key=scope.tenant, start=start, limit=_RECORDS):
            if not await self._processor.index(scope, records):
                return None
            start = records[-1].offset + 1
            done += len(records)
            if most is not None and done >= most:
                break
        return start
