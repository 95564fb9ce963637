"""Dead letters that come back: sent to the router again, once what they lacked is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from streams.dead_letters import Reason
from streams.event_log import DEAD_LETTERS, EventLog
from streams.raw_event import is_cut, revived

GROUP: Final = "revival"
OF_THE_INDEX: Final = frozenset({Reason.INDEX_REJECTED, Reason.UNREADABLE_SEGMENT})
"""Their events are in the tenant log already: what brings them back is a new index, `tenantry replay --tenant`."""


@dataclass(slots=True)
class Revived:
    """How many dead letters went to the router again, how many did not because they are the index's, or because they are cut."""

    revived: int = 0
    kept: int = 0
    cut: int = 0

    @property
    def all(self) -> int:
        """How many have been passed."""
        return self.revived + self.kept + self.cut


@dataclass(slots=True)
class Waiting:
    """Dead letters of one reason that were never replayed: how many, and what the last one of them says."""

    count: int = 0
    message: str = ""


async def waiting(log: EventLog) -> dict[str, Waiting]:
    """The dead letters that are there now and were never replayed, by reason.

    Raises:
        LogUnavailable: the log can't be read now.
    """
    reasons: dict[str, Waiting] = defaultdict(Waiting)
    places = dict(await log.cursors(DEAD_LETTERS, GROUP))
    ends = await log.ends(DEAD_LETTERS)
    # By batches, whose bytes are bounded, as those of a read are not: a letter may have 4 MB.
    async with log.follow(DEAD_LETTERS, None, start=places) as subscription:
        while _any_before(places, ends):
            batch = await subscription.next()
            assert batch is not None, "there are records before the end"
            places[batch.partition] = batch.end
            for letter in batch.records:
                found = reasons[letter.headers.get("reason", "unknown")]
                found.count += 1
                found.message = letter.headers.get("message", "")
    return reasons


async def revive(log: EventLog, progress: Callable[[Revived], None] = lambda _: None) -> Revived:
    """Sends every dead letter that is there now to the router again, each once: those it can't place again come back as new ones.

    A letter that is cut waits on as it is, with the reason and the message that say where the whole event was.

    Args:
        log: the event log.
        progress: is told after each batch what is done so far.

    Raises:
        Overtaken: somebody else replays them at the same time, and goes on.
        LogUnavailable: the log can't be read or written now; doing it again goes on where this ended.
    """
    done = Revived()
    ends = await log.ends(DEAD_LETTERS)
    async with log.follow(DEAD_LETTERS, GROUP, max_records=100) as subscription:
        while await _before(log, ends):
            batch = await subscription.next()
            assert batch is not None, "there are records before the end"
            letters = [letter for letter in batch.records if letter.headers.get("reason") not in OF_THE_INDEX]
            await subscription.advance(batch, [revived(letter) for letter in letters])
            cut = sum(map(is_cut, letters))
            done.cut += cut
            done.revived += len(letters) - cut
            done.kept += len(batch.records) - len(letters)
            progress(done)
    return done


async def _before(log: EventLog, ends: Mapping[int, int]) -> bool:
    return _any_before(await log.cursors(DEAD_LETTERS, GROUP), ends)


def _any_before(places: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return any(places.get(partition, 0) < end for partition, end in ends.items())
