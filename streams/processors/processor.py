"""What a processor is: a plain object that takes records and has effects; it knows neither Kafka nor Faust."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from streams.event_log import Batch, NewRecord


class Processor(Protocol):
    """Follows one stream as one group.

    Attributes:
        name: the group's name.
        stream: what it follows.
        batch_bytes: how large a batch may be, about: what comes of it must fit into a transaction that a slow broker takes in time.
        pace: the seconds between a partition's batches where each costs a transaction; see `EventLog.follow`.
        at_once: how many batches, of different partitions and therefore of different keys, it may be given at the same time.
        bytes_at_once: how large they may be together, about, which bounds its memory; a single one may be larger.
    """

    name: ClassVar[str]
    stream: ClassVar[str]
    batch_bytes: ClassVar[int] = 24 << 20
    pace: ClassVar[float] = 0.0
    at_once: ClassVar[int] = 1
    bytes_at_once: ClassVar[int] = 16 << 20

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """Has its effects, durably, and answers what is to be appended together with the group's cursor.

        A batch may come again after a crash: doing it twice must change nothing. It must not raise because of what a record
        holds, which would hold up everything behind it: such a record is a dead letter.

        Raises:
            LogUnavailable: the same batch is to be tried again.
            IndexUnavailable: likewise.
        """
        ...
