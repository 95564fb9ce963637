"""`Tenure`: a partition while it is given to this member of a group."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping, Sequence
from weakref import WeakKeyDictionary

from streams.event_log import Batch, Record
from streams.log_kafka.places import Place


class Tenure(Place):
    """A place in a partition, and the batches that are in the caller's hands.

    Attributes:
        settled: whether this member has fenced off the one before and knows the group's cursor.
        cursor: the group's, when it is settled.
        outstanding: handed out and not advanced, in order.
        doubt: the batch whose advance was asked for and not answered, and what it would have appended.
        done: what the batches have appended whose advance has happened, as long as their callers have them, who may ask again.
        alone: whether its next advance has a transaction to itself: the last was refused, for which it may have been the reason.
    """

    def __init__(self, partition: int, pace: float) -> None:
        super().__init__(partition, 0, pace=pace)
        self.settled = False
        self.cursor = 0
        self.outstanding: deque[Batch] = deque()
        self.doubt: tuple[Batch, Sequence[Record]] | None = None
        self.done: MutableMapping[Batch, Sequence[Record]] = WeakKeyDictionary()
        self.alone = False

    def unsettle(self) -> None:
        """Hands out nothing more until it is settled again."""
        self.settled = False
        self.forget()

    def settle(self, cursor: int) -> None:
        """Goes on from the group's cursor; batches in the caller's hands stay valid if it is where the first of them begins."""
        self.cursor = cursor
        if self.doubt is not None:
            batch, records = self.doubt
            self.doubt = None
            if cursor == batch.end and self.outstanding and self.outstanding[0] is batch:
                self.outstanding.popleft()
                self.done[batch] = records
        if self.outstanding and self.outstanding[0].start != cursor:
            self.outstanding.clear()
        self.reset(self.outstanding[-1].end if self.outstanding else cursor)
        self.settled = True

    def advanced(self, batch: Batch, records: Sequence[Record]) -> None:
        """Remembers that the batch is done, and what it has appended."""
        self.done[batch] = records
        self.alone = False
        if self.outstanding and self.outstanding[0] is batch:
            self.outstanding.popleft()
            self.cursor = batch.end
