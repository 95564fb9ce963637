"""The end of a partition, read backwards and within bounds: what happened last, however much there is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from streams.event_log import EventLog, Record

_FIRST: Final = 20
_MOST: Final = 500
"""Records of one read: at first few, since they may be large, and then as many as seem to fit."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is read at most; by up to one read more."""

    records: int
    bytes: int

    def share(self, partitions: int) -> Budget:
        """What each of so many partitions may take."""
        return Budget(max(1, self.records // max(1, partitions)), max(1, self.bytes // max(1, partitions)))


async def backwards(
    log: EventLog, stream: str, partition: int, *, start: int, end: int, budget: Budget
) -> AsyncGenerator[tuple[int, Sequence[Record]], None]:
    """The partition's records with offsets from `start` to before `end`, in pieces, the last piece first, as far as the budget reaches.

    Yields:
        From which offset on everything is read by now, and the records of the piece, in their order.
    """
    records = size = 0
    step = _FIRST
    while end > start and records < budget.records and size < budget.bytes:
        begin = max(start, end - step)
        # As many offsets as records at the most, so none of the piece is left out; offsets may have gaps.
        found = [record for record in await log.read(stream, partition=partition, start=begin, limit=end - begin) if record.offset < end]
        yield begin, found
        end = begin
        records += step  # gaps count too: what they cost is a read all the same
        size += sum(len(record.value) for record in found)
        step = max(_FIRST, min(_MOST, (budget.bytes - size) * records // max(size, 1), budget.records - records))
