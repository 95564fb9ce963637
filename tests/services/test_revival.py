"""Dead letters that wait: counted by reason, however large they are."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from services.events.revival import Waiting, revive, waiting
from streams.dead_letters import Reason
from streams.event_log import NewRecord
from streams.log_sqlite import SqliteEventLog
from streams.raw_event import RawEvent, dead_letter

_LARGE = 1_000_000
_MANY = 40


def letter(number: int, reason: Reason, size: int = 10) -> NewRecord:
    return dead_letter(RawEvent(bytes(size), f"e{number}", 0), reason, f"letter {number}")


async def test_those_that_wait_are_counted_by_reason_until_they_are_replayed(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    assert await waiting(log) == {}
    reasons = [Reason.NOT_JSON if number % 3 else Reason.TOO_DEEP for number in range(2500)]
    await log.append([letter(number, reason) for number, reason in enumerate(reasons)])
    assert await waiting(log) == {Reason.NOT_JSON: Waiting(1666, "letter 2498"), Reason.TOO_DEEP: Waiting(834, "letter 2499")}
    await revive(log)
    assert await waiting(log) == {}
    await log.append([letter(1, Reason.NOT_JSON)])
    assert await waiting(log) == {Reason.NOT_JSON: Waiting(1, "letter 1")}
    await log.close()


async def test_large_ones_are_not_all_in_memory_at_once(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    for number in range(_MANY):
        await log.append([letter(number, Reason.TOO_LARGE, _LARGE)])
    tracemalloc.start()
    found = await waiting(log)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await log.close()
    assert found[Reason.TOO_LARGE].count == _MANY
    assert most < _MANY * _LARGE / 2
