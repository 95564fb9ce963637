"""The dead letters that wait, by reason, with samples: the newest of them, so that it is bounded however many there are."""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from services.events.revival import GROUP, OF_THE_INDEX
from services.overview.backwards import Budget, backwards
from streams.event_log import DEAD_LETTERS, EventLog, Record
from streams.raw_event import is_cut

BUDGET: Final = Budget(10_000, 64_000_000)
SAMPLES: Final = 5
"""Of each reason."""
_SHOWN_BYTES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter.

    Attributes:
        place: where it is among the dead letters.
        message: what could not be done with it, for people.
        at: when it became a dead letter, in epoch milliseconds.
        source: the name of its format, if it came with one.
        tenant: the tenant by whose way it came (its token, its file); None for most, whose tenant nobody knows.
        size: bytes of the event, as far as it is kept.
        text: its beginning, as it came; what is no UTF-8 has a sign for it.
        cut: whether its beginning is all that is kept.
    """

    place: str
    message: str
    at: int
    source: str | None
    tenant: str | None
    size: int
    text: str
    cut: bool


@dataclass(slots=True)
class Group:
    """The dead letters of one reason.

    Attributes:
        of_the_index: their events are in the tenant log already: they don't come back by a replay, but by a new index.
        newest: when the newest became one, in epoch milliseconds.
        samples: the newest ones, the newest first.
    """

    reason: str
    count: int = 0
    newest: int = 0
    samples: list[Letter] = field(default_factory=list)

    @property
    def of_the_index(self) -> bool:
        """See above."""
        return self.reason in OF_THE_INDEX


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """All that wait.

    Attributes:
        waiting: how many places of the log they take; on Kafka somewhat more than there are, since transactions take some, too.
        read: how many were read, the newest ones.
        whole: whether those are all.
        groups: by how many there are.
    """

    waiting: int
    read: int
    whole: bool
    groups: tuple[Group, ...]

    def find(self, reason: str) -> Group | None:
        """The letters of this reason."""
        return next((group for group in self.groups if group.reason == reason), None)


async def dead_letters(log: EventLog) -> DeadLetters:
    """Those that were never replayed, as far as the budget reaches.

    Raises:
        LogUnavailable: the log can't be read now.
    """
    cursors = await log.cursors(DEAD_LETTERS, GROUP)
    ends = await log.ends(DEAD_LETTERS)
    share = BUDGET.share(len(ends))
    groups: dict[str, Group] = {}
    waiting = read = 0
    whole = True
    newest: dict[str, list[Record]] = defaultdict(list)
    for partition, end in ends.items():
        start = cursors.get(partition, 0)
        waiting += max(0, end - start)
        begin = end
        async with aclosing(backwards(log, DEAD_LETTERS, partition, start=start, end=end, budget=share)) as pieces:
            async for begin, records in pieces:  # noqa: B007 -- the last one tells how far it came
                read += len(records)
                for record in reversed(records):
                    _count(groups, newest, record)
        whole = whole and begin <= start
    for reason, records in newest.items():
        found = sorted(records, key=lambda record: record.time, reverse=True)
        groups[reason].samples = [_letter(record) for record in found[:SAMPLES]]
    return DeadLetters(
        waiting if not whole else read, read, whole, tuple(sorted(groups.values(), key=lambda one: (-one.count, one.reason)))
    )


def _count(groups: dict[str, Group], newest: dict[str, list[Record]], record: Record) -> None:
    reason = record.headers.get("reason", "unknown")
    group = groups.setdefault(reason, Group(reason))
    group.count += 1
    group.newest = max(group.newest, record.time)
    kept = newest[reason]
    kept.append(record)
    if len(kept) > SAMPLES:
        kept.remove(min(kept, key=lambda one: one.time))


def _letter(record: Record) -> Letter:
    headers = record.headers
    return Letter(
        place=f"{record.partition}-{record.offset}",
        message=headers.get("message", ""),
        at=record.time,
        source=headers.get("source"),
        tenant=headers.get("tenant"),
        size=len(record.value),
        text=record.value[:_SHOWN_BYTES].decode(errors="replace"),
        cut=is_cut(record),
    )
