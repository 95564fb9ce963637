"""`Advances`: what a member of a group advances at once, in whatever partitions, is one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from streams.errors import LogUnavailable
from streams.event_log import Batch, Record
from streams.log_kafka.records import Addressed
from streams.log_kafka.troubles import WRITE_SECONDS

_MOST_BYTES: Final = 8 << 20
"""Of outputs in one transaction, unless those of a single batch are more: a slow broker must take it in time."""

_TOGETHER_SECONDS: Final = 0.01
"""Within which the batches of one time are worked on, one after another."""


@dataclass(eq=False, slots=True)
class Advance:
    """A batch that is to be advanced.

    Attributes:
        batch: whose end becomes the cursor of its partition.
        outputs: what is appended with that.
        alone: whether it shares its transaction with no other, since one of those with which it did was refused.
        done: the outputs as they stand in the log.
    """

    batch: Batch
    outputs: Sequence[Addressed]
    alone: bool = False
    done: asyncio.Future[Sequence[Record]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(record.size for record in self.outputs)


Write = Callable[[Sequence[Advance]], Awaitable[Sequence[Sequence[Record]]]]
"""Appends the outputs of all these and moves their cursors, all or nothing; answers the outputs of each as they stand in the log."""


class Advances:
    """Has them written, one transaction after another; what comes while one is under way goes into the next.

    A transaction costs the brokers some requests, and a marker in each partition that it writes to, whatever is in it. With one for each
    partition that is followed, a worker at a steady rate cost Kafka more than its events did.

    Whoever does not wait any longer breaks nothing off: the others need the transaction, and asking again for the same batch waits for it.
    """

    def __init__(self, write: Write, *, paced: bool = False) -> None:
        """`paced`: batches come at the same times, so that the first one to be advanced waits a little for the others."""
        self._write = write
        self._seconds = _TOGETHER_SECONDS if paced else 0.0
        self._waiting: deque[Advance] = deque()
        self._under_way: Sequence[Advance] = ()
        self._working: asyncio.Task[None] | None = None
        self._ended = False

    async def run(self, batch: Batch, outputs: Sequence[Addressed], *, alone: bool) -> Sequence[Record]:
        """Returns when it is written. Raises what `write` raises."""
        found = next((one for one in (*self._under_way, *self._waiting) if one.batch is batch), None)
        if found is None:
            self._waiting.append(found := Advance(batch, outputs, alone))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="kafka-advance")
        return await asyncio.shield(found.done)

    async def end(self) -> None:
        """Breaks off what is under way: whether it happened is not told, and found out by who comes next."""
        self._ended = True
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})
        self._fail(self._waiting, LogUnavailable("this subscription has ended"))
        self._waiting.clear()

    async def _work(self) -> None:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        while self._waiting and not self._ended:
            self._under_way = self._next()
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    written = await self._write(self._under_way)
            except Exception as error:  # noqa: BLE001 -- it is the callers'
                self._fail(self._under_way, error)
            except BaseException:
                self._fail(self._under_way, LogUnavailable("this subscription has ended"))
                raise
            else:
                for one, records in zip(self._under_way, written, strict=True):
                    one.done.set_result(records)
            finally:
                self._under_way = ()

    @staticmethod
    def _fail(advances: Iterable[Advance], error: Exception) -> None:
        for one in advances:
            one.done.set_exception(error)
            one.done.exception()  # its caller may have gone; asyncio would complain

    def _next(self) -> Sequence[Advance]:
        """What goes into the next transaction; of each partition at most one, as they are advanced one after another."""
        taken = [self._waiting.popleft()]
        size = taken[0].size
        while self._waiting and not taken[0].alone and not self._waiting[0].alone and size + self._waiting[0].size <= _MOST_BYTES:
            taken.append(self._waiting.popleft())
            size += taken[-1].size
        return taken


def shares(advances: Sequence[Advance], records: Sequence[Record]) -> list[Sequence[Record]]:
    """Which of the records, that all have appended, each has; nothing of any, if there is nothing at all."""
    rest = iter(records)
    return [list(islice(rest, len(one.outputs))) for one in advances]
