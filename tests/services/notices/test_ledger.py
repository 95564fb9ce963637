"""What comes together for a tenant is appended together, decided on the newest state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.notices.ledger import Ledger
from streams.control_log import ControlEvent, ControlLog, Projection
from streams.errors import Changed, LogUnavailable
from streams.event_log import CONTROL, NewRecord, Record
from streams.log_sqlite import SqliteEventLog


class Seen(Projection):
    """The types of the events of each tenant."""

    def __init__(self) -> None:
        self.types: dict[str, list[str]] = {}

    def apply(self, key: str, event: ControlEvent) -> None:
        self.types.setdefault(key, []).append(event.type)


class CountingLog(SqliteEventLog):
    """Counts appends, and fails them as it is told."""

    appends = 0
    trouble: Exception | None = None

    async def append_if_unchanged(self, records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        if (trouble := self.trouble) is not None:
            self.trouble = None
            raise trouble
        self.appends += 1
        return await super().append_if_unchanged(records, last=last)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[CountingLog]:
    log = CountingLog(tmp_path / "log.sqlite")
    yield log
    await log.close()


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def ledger(log: CountingLog, seen: Seen) -> AsyncIterator[Ledger]:
    control = ControlLog(log, [seen])
    await control.start()
    ledger = Ledger(control)
    yield ledger
    await ledger.close()
    await control.stop()


def event(name: str) -> ControlEvent:
    return ControlEvent(type=name, at=1, by="test")


async def test_what_comes_at_once_is_one_append_of_its_tenant(ledger: Ledger, log: CountingLog, seen: Seen) -> None:
    names = [f"event_{number}" for number in range(20)]
    acme = [ledger.write("acme", lambda name=name: [event(name)]) for name in names]  # type: ignore[misc]
    globex = [ledger.write("globex", lambda name=name: [event(name)]) for name in names]  # type: ignore[misc]
    answers = await asyncio.gather(*acme, *globex)
    assert [[one.type for one in answer] for answer in answers] == [[name] for name in names * 2]
    assert seen.types == {"acme": names, "globex": names}
    assert log.appends == 2


async def test_what_may_linger_goes_with_what_may_not(ledger: Ledger, log: CountingLog, seen: Seen) -> None:
    lingering = asyncio.create_task(ledger.write("acme", lambda: [event("outcome")], linger=3600))
    await asyncio.sleep(0)
    await ledger.write("acme", lambda: [event("claim")])
    await lingering
    assert (seen.types, log.appends) == ({"acme": ["outcome", "claim"]}, 1)


async def test_what_lingers_alone_is_appended_in_the_end(ledger: Ledger, seen: Seen) -> None:
    await ledger.write("acme", lambda: [event("outcome")], linger=0.01)
    assert seen.types == {"acme": ["outcome"]}


async def test_all_are_asked_again_when_somebody_else_was_faster(ledger: Ledger, log: CountingLog, seen: Seen) -> None:
    asked: list[str] = []

    def decide(name: str) -> Sequence[ControlEvent]:
        asked.append(name)
        return [event(name)]

    log.trouble = Changed(CONTROL, "acme", None, 0)
    await asyncio.gather(*(ledger.write("acme", lambda name=name: decide(name)) for name in ("one", "two")))  # type: ignore[misc]
    assert asked == ["one", "two", "one", "two"]
    assert seen.types == {"acme": ["one", "two"]}


async def test_nothing_to_do_appends_nothing(ledger: Ledger, log: CountingLog) -> None:
    assert list(await ledger.write("acme", list)) == []
    assert log.appends == 0


async def test_a_log_that_is_away_is_told_to_everybody_who_waits_and_to_nobody_after(ledger: Ledger, log: CountingLog, seen: Seen) -> None:
    log.trouble = LogUnavailable("away")
    answers = await asyncio.gather(*(ledger.write("acme", lambda: [event("lost")]) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogUnavailable] * 3
    await ledger.write("acme", lambda: [event("after")])
    assert seen.types == {"acme": ["after"]}


async def test_who_does_not_wait_any_more_writes_nothing(ledger: Ledger, seen: Seen) -> None:
    given_up = asyncio.create_task(ledger.write("acme", lambda: [event("given_up")], linger=3600))
    await asyncio.sleep(0)
    given_up.cancel()
    await ledger.write("acme", lambda: [event("other")])
    assert seen.types == {"acme": ["other"]}


async def test_closing_leaves_nobody_waiting(ledger: Ledger) -> None:
    waiting = asyncio.create_task(ledger.write("acme", lambda: [event("never")], linger=3600))
    await asyncio.sleep(0)
    await ledger.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
