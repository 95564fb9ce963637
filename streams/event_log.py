"""The port `EventLog`: append, append-if-unchanged, read, and follow as a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

IDP_EVENTS: Final = "idp-events"
TENANT_LOG: Final = "tenant-log"
DEAD_LETTERS: Final = "dead-letters"
CONTROL: Final = "control"
STREAMS: Final = (IDP_EVENTS, TENANT_LOG, DEAD_LETTERS, CONTROL)

UNREADABLE: Final = "unreadable"
"""A header of a record of `idp-events` that a log gives out in place of others, which it can't: it says, for people, what they are."""


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to append. Records of one key keep their order; a record without a key may land in any partition."""

    stream: str
    value: bytes
    key: str | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Record(msgspec.Struct, frozen=True, gc=False):  # one for every event, and made ten times as fast as a dataclass
    """A record of a stream.

    Attributes:
        offset: grows along a partition, with gaps.
        time: when it was appended, in epoch milliseconds.
    """

    stream: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    headers: Mapping[str, str]
    time: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Batch:
    """Records of one partition, in order, as a follower gets them; none, where only the end has moved. One is equal to itself only.

    (A follower's end passes what is no record: Kafka's transaction markers take offsets.)

    Attributes:
        group: who follows; None for a follower that keeps its own place.
        start: the group's cursor before the batch: the lowest offset that it had not passed.
        end: the cursor after the batch; offsets below it are done once the batch is.
    """

    stream: str
    partition: int
    group: str | None
    start: int
    end: int
    records: Sequence[Record]


class Subscription(AbstractAsyncContextManager["Subscription"], Protocol):
    """An open `follow`. Leaving the context ends it; what was not advanced comes again to the next follower."""

    async def next(self, wait: float | None = None) -> Batch | None:
        """The next batch, when there is one: records, or a move of the end. Waits at most `wait` seconds if given, then answers None.

        A batch that was handed out and not advanced is not handed out again by this subscription.

        Raises:
            LogUnavailable: the log can't be read now.
        """
        ...

    async def advance(self, batch: Batch, outputs: Sequence[NewRecord] = ()) -> Sequence[Record]:
        """Moves the group's cursor past `batch` and appends `outputs`, atomically: both happen or neither does.

        The batches of a partition are advanced in the order in which they came.

        Returns:
            The outputs as they stand in the log.

        Raises:
            Overtaken: another follower of the group has moved the cursor; nothing was written. Drop the batch; `next` goes on behind
                that follower.
            LogUnavailable: the log did not answer that it was done. Try again with the same batch and the same outputs: that finds out
                whether it was, and nothing is written twice.
            ValueError: the subscription has no group.
        """
        ...


class EventLog(Protocol):
    """The streams of Tenantry.

    What every adapter keeps, however many processes write and follow at once:

    - a record whose append returned is there after any crash, exactly once, unchanged;
    - the records of one key are totally ordered, in the order in which their appends returned;
    - an append of many records is atomic: all of them become visible, or none, also where it is in doubt which;
    - readers see committed records only, and never see a lower offset of a partition appear after a higher one;
    - a group's cursor is durable; records come to it at least once, and exactly once together with `advance`'s outputs.

    Offsets may have gaps. A key's records are all in one partition.
    """

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        """Appends the records and answers them as they stand in the log, in the same order.

        Raises:
            AppendInDoubt: all of them are in the log, or none; that can't be told now.
            LogUnavailable: else; nothing was written.
        """
        ...

    async def append_if_unchanged(self, records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        """Appends the records, all of one stream and one key, only if `last` is the offset of that key's last record.

        Args:
            records: at least one.
            last: None when the key must have no record yet.

        Raises:
            Changed: somebody else appended first; nothing was written.
            AppendInDoubt: all of them are in the log, or none; that can't be told now. Whoever looks for the key's last record before
                deciding anew, as this call wants it, decides on what is true.
            LogUnavailable: else; nothing was written.
        """
        ...

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """At most `limit` records with offsets from `start` on: those of `key` if given, wherever it is, else those of `partition`."""
        ...

    async def ends(self, stream: str) -> Mapping[int, int]:
        """For each partition, the offset that a follower reaches who has seen everything committed; 0 if there never was anything."""
        ...

    async def cursors(self, stream: str, group: str) -> Mapping[int, int]:
        """For each partition, the group's cursor: the lowest offset it has not passed."""
        ...

    async def partition_of(self, stream: str, key: str) -> int:
        """The partition that holds the key's records."""
        ...

    def follow(
        self,
        stream: str,
        group: str | None,
        *,
        start: Mapping[int, int] | None = None,
        max_records: int = 1000,
        max_bytes: int = 4 << 20,
        pace: float = 0.0,
    ) -> Subscription:
        """Follows a stream: with a group from its durable cursor, without one from `start` (default: the beginning).

        A batch has at most `max_records` records and about `max_bytes` bytes of values, but at least one record.

        `pace` is how many seconds lie between a partition's batches, about, unless one is as large as it may be: many small transactions
        cost more than they carry. All partitions' batches come at the same times, so that their advances can share one. What comes after
        a longer quiet comes at once. It is a wish: a log whose batches cost little, or a follower without a group, need not heed it.
        """
        ...

    async def close(self) -> None:
        """Ends all subscriptions and waits for writes under way."""
        ...
