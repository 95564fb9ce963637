"""`Tenure`: a partition while it is given to this member of a group."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from streams.event_log import Batch, Record
from streams.log_kafka.broker import Fence
from streams.log_kafka.places import Place
from streams.log_kafka.producer import Producer


class Tenure(Place):
    """A place in a partition, and the batches that are in the caller's hands.

    Attributes:
        settled: whether this member has fenced off the one before and knows the group's cursor.
        cursor: the group's, when it is settled.
        fence: with which identity it may append and advance in one transaction.
        producer: which does so; started when there is something to append for the first time.
        outstanding: handed out and not advanced, in order.
        doubt: the batch whose advance was asked for and not answered, and what it would have appended.
        done: the batch whose advance turned out to have happened, and what it has appended.
    """

    def __init__(self, partition: int, pace: float) -> None:
        super().__init__(partition, 0, pace=pace)
        self.settled = False
        self.cursor = 0
        self.fence: Fence | None = None
        self.producer: Producer | None = None
        self.outstanding: deque[Batch] = deque()
        self.doubt: tuple[Batch, Sequence[Record]] | None = None
        self.done: tuple[Batch, Sequence[Record]] | None = None

    def unsettle(self) -> None:
        """Hands out nothing more until it is settled again."""
        self.settled = False
        self.forget()

    def settle(self, fence: Fence, cursor: int) -> None:
        """Goes on from the group's cursor; batches in the caller's hands stay valid if it is where the first of them begins."""
        self.fence = fence
        self.cursor = cursor
        if self.doubt is not None:
            batch, records = self.doubt
            self.doubt = None
            if cursor == batch.end and self.outstanding and self.outstanding[0] is batch:
                self.outstanding.popleft()
                self.done = batch, records
        if self.outstanding and self.outstanding[0].start != cursor:
            self.outstanding.clear()
        self.reset(self.outstanding[-1].end if self.outstanding else cursor)
        self.settled = True

    async def discard(self) -> None:
        """Ends the producer."""
        if self.producer is not None:
            await self.producer.discard()
            self.producer = None
