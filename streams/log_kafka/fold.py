"""`Fold`: which record of each key of a stream is the last, kept up to date by following it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from streams.errors import LogUnavailable
from streams.event_log import Subscription

_log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.5


class Fold:
    """Follows from the beginning, from the first question on, and holds one number for each key."""

    def __init__(self, follow: Callable[[dict[int, int]], Subscription]) -> None:
        """`follow` opens a follower without a group from a place in each partition."""
        self._follow = follow
        self._places: dict[int, int] = {}
        self._last: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None

    def last(self, key: str) -> int | None:
        """The offset of the key's last record, as far as has been followed."""
        return self._last.get(key)

    async def reach(self, partition: int, offset: int) -> None:
        """Returns when everything committed below the offset is folded."""
        if self._following is None:
            self._following = asyncio.create_task(self._run(), name="kafka-fold")
        async with self._moved:
            await self._moved.wait_for(lambda: self._places.get(partition, 0) >= offset)

    async def close(self) -> None:
        """Follows no longer."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following

    async def _run(self) -> None:
        while True:
            try:
                async with self._follow(dict(self._places)) as subscription:
                    while (batch := await subscription.next()) is not None:
                        for record in batch.records:
                            if record.key is not None:
                                self._last[record.key] = record.offset
                        self._places[batch.partition] = batch.end
                        async with self._moved:
                            self._moved.notify_all()
            except Exception as error:  # noqa: BLE001 -- whatever it is, ending here would let those who wait for a place wait for ever
                _log.warning("kafka_fold_unavailable", error=str(error), exc_info=not isinstance(error, LogUnavailable))
                await asyncio.sleep(_RETRY_SECONDS)
