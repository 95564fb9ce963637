"""`Place`: where a follower is in one partition, and what it has fetched ahead."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from streams.event_log import Batch, Record
from streams.log_kafka import records

_PATIENCE_SECONDS: Final = 0.25
"""How long the broker is asked in vain for what more it has, before a batch goes without. It may take a moment: a consumer has one fetch
under way at a broker, which holds that one while there is nothing new in the partitions that were fetched to their end, and a busy event
loop comes late to the answer. Only the asking counts: whoever waits while another partition's batch is filled, or while those under way
leave no room for one, has not waited in vain."""


class Place:
    """Fetched records of a partition, to be handed out in batches.

    Attributes:
        next: the next offset to hand out.
        reached: everything below has been fetched. Beyond the last record's offset there may be transactions' markers.
    """

    def __init__(self, partition: int, start: int, *, pace: float = 0.0) -> None:
        """`pace`: after a batch, one that is not as large as it may be waits for the next whole multiple of so many seconds."""
        self.partition = partition
        self._pace = pace
        self._due = 0.0
        self.next = start
        self.reached = start
        self._more = False
        self._in_vain = 0.0
        self._fetched: deque[Any] = deque()
        self._size = 0

    @property
    def more(self) -> bool:
        """Whether the broker had more when something was last fetched, and was not asked for it in vain for too long."""
        return self._more and self._in_vain < _PATIENCE_SECONDS

    @property
    def waiting(self) -> bool:
        """Whether there is something to hand out."""
        return bool(self._fetched) or self.reached > self.next

    def whole(self, most_records: int, most_bytes: int) -> bool:
        """Whether what waits makes a batch as large as it may be, or is all that there is and its time has come."""
        full = self._size >= most_bytes or len(self._fetched) >= most_records
        return full or (not self.more and self.rest <= 0)

    @property
    def rest(self) -> float:
        """Seconds until the time of the next batch has come; 0 or less if it has."""
        return self._due - time.monotonic()

    def fetched(self, found: Sequence[Any], reached: int, end: int | None) -> None:
        """Takes what a consumer has fetched, its position after that, and the end of what is committed, as far as it is known."""
        self._fetched.extend(found)
        self._size += sum(record.serialized_value_size for record in found)
        self.reached = max(self.reached, reached)
        self._more = end is not None and self.reached < end
        self._in_vain = 0.0

    def asked_in_vain(self, seconds: float) -> None:
        """The broker was asked for more for so long, and nothing came."""
        self._in_vain += seconds

    def forget(self) -> None:
        """Forgets what was fetched and not handed out."""
        self._fetched.clear()
        self._size = 0
        self._more = False
        self.reached = self.next

    def reset(self, start: int) -> None:
        """Forgets what was fetched, and begins at another offset."""
        self.next = start
        self.forget()

    def take(self, stream: str, group: str | None, max_records: int, max_bytes: int) -> Batch:
        """The next batch; without records if only the end has moved."""
        if self._pace:
            # All partitions' times come together, so that what is made of their batches can share a transaction.
            self._due = (time.monotonic() // self._pace + 1) * self._pace
        taken: list[Record] = []
        size = 0
        while self._fetched and len(taken) < max_records and size < max_bytes:
            raw = self._fetched.popleft()
            taken.append(records.read(stream, raw))
            size += raw.serialized_value_size
        self._size -= size
        start, self.next = self.next, self._fetched[0].offset if self._fetched else self.reached
        return Batch(stream, self.partition, group, start, self.next, taken)
