"""The control log: of many commands at once, each decides on the newest state."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.control_log import ControlEvent, ControlLog, Projection
from streams.errors import ControlError
from streams.event_log import CONTROL, NewRecord
from streams.log_kafka.fold import Fold
from streams.log_sqlite import SqliteEventLog


class Counts(Projection):
    def __init__(self) -> None:
        self.values: dict[str, list[int]] = defaultdict(list)

    def apply(self, key: str, event: ControlEvent) -> None:
        self.values[key].append(event.data["n"])


class Stumbling(SqliteEventLog):
    """Fails once in a way that nobody has thought of."""

    stumbled = False

    def follow(self, *arguments: Any, **named: Any) -> Any:
        if not self.stumbled:
            self.stumbled = True
            raise KeyError("what nobody has thought of")
        return super().follow(*arguments, **named)


@asynccontextmanager
async def node(path: Path, kind: type[SqliteEventLog] = SqliteEventLog) -> AsyncIterator[tuple[ControlLog, Counts]]:
    log, counts = kind(path), Counts()
    control = ControlLog(log, [counts])
    try:
        await control.start()
        yield control, counts
    finally:
        await control.stop()
        await log.close()


async def count(control: ControlLog, counts: Counts, key: str) -> None:
    async def decide() -> Sequence[ControlEvent]:
        await asyncio.sleep(0)
        return [ControlEvent(type="counted", at=1, by="test", data={"n": len(counts.values[key])})]

    await control.commit(key, decide)


async def test_nodes_that_race_count_without_gaps_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    async with node(path) as (one, here), node(path) as (two, there):
        await asyncio.gather(*(count(*(pair), key) for _ in range(20) for pair in ((one, here), (two, there)) for key in ("a", "b")))
        await one.catch_up()
        await two.catch_up()
        for counts in (here, there):
            assert counts.values == {"a": list(range(40)), "b": list(range(40))}
    async with node(path) as (_, again):
        assert again.values == here.values, "folding the log again gives the same state"


async def test_deciding_nothing_appends_nothing(tmp_path: Path) -> None:
    async with node(tmp_path / "log.sqlite") as (control, counts):

        async def nothing() -> Sequence[ControlEvent]:
            return []

        assert await control.commit("a", nothing) == ()
        assert counts.values == {}


async def test_a_commit_is_folded_when_it_returns(tmp_path: Path) -> None:
    async with node(tmp_path / "log.sqlite") as (control, counts):
        await count(control, counts, "a")
        assert counts.values["a"] == [0]


async def test_what_can_not_be_read_stops_the_node_instead_of_being_passed_over(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    await log.append([NewRecord(CONTROL, b'{"of": "another age"}', "a")])
    await log.close()
    with pytest.raises(ControlError, match="upgrade"):
        async with node(tmp_path / "log.sqlite"):
            pass


async def test_an_error_that_nobody_has_thought_of_is_told_and_does_not_end_the_following(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(30), node(tmp_path / "log.sqlite", Stumbling) as (control, counts):
        await count(control, counts, "a")
        assert counts.values["a"] == [0]
    assert "Traceback" in (said := capsys.readouterr().out)
    assert "what nobody has thought of" in said


async def test_the_fold_of_kafkas_conditional_appends_goes_on_likewise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Stumbling(tmp_path / "log.sqlite")
    fold = Fold(lambda places: log.follow(CONTROL, None, start=places))
    [record] = await log.append([NewRecord(CONTROL, b"x", "a")])
    async with asyncio.timeout(30):
        await fold.reach(record.partition, record.offset + 1)
    assert fold.last("a") == record.offset
    assert "Traceback" in capsys.readouterr().out
    await fold.close()
    await log.close()
