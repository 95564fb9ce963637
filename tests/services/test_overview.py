"""What operators see of all tenants at once: right, bounded, and no dearer for many who look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.overview import log_end
from services.overview.backwards import Budget, backwards
from services.overview.kept import Kept
from services.overview.log_end import Lag, read_end
from services.overview.tenants import glance
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog
from streams.errors import IndexUnavailable
from streams.event_log import TENANT_LOG, EventLog, NewRecord
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import Backlogs
from streams.processors.index import IndexProcessor
from streams.scope import TenantScope
from streams.segment import Encoded, count, segments
from tests.platforms import Site

NOW = 1_800_000_000_000
MINUTE = 60_000


class Clock:
    """The log's clock, as the test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def log(tmp_path: Path, clock: Clock) -> AsyncIterator[EventLog]:
    opened = SqliteEventLog(tmp_path / "log.sqlite", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def backlogs(log: EventLog) -> AsyncIterator[Backlogs]:
    found = Backlogs()
    control = ControlLog(log, (found,))
    found.attach(control)
    await control.start()
    yield found
    await control.stop()


def segment(tenant: str, events: int) -> NewRecord:
    [record] = segments(TenantScope(tenant), [Encoded(f"e{number}", NOW, b"{}") for number in range(events)])
    return record


async def write(log: EventLog, clock: Clock, at: int, *written: tuple[str, int]) -> None:
    clock.now = at
    await log.append([segment(tenant, events) for tenant, events in written])
    clock.now = NOW


async def indexed(log: EventLog, records: int) -> None:
    """The index processor passes so many records."""
    async with log.follow(TENANT_LOG, IndexProcessor.name, max_records=records) as group:
        batch = await group.next()
        assert batch is not None
        await group.advance(batch)


async def test_a_segment_tells_how_many_events_it_has(log: EventLog) -> None:
    [good, strange] = await log.append([segment("acme", 7), NewRecord(TENANT_LOG, b"no segment", "acme")])
    assert (count(good), count(strange)) == (7, 0)


async def test_rates_are_those_of_the_last_minutes(log: EventLog, backlogs: Backlogs, clock: Clock) -> None:
    await write(log, clock, NOW - 10 * MINUTE, ("acme", 900), ("quiet", 900))
    await write(log, clock, NOW - 4 * MINUTE, ("acme", 10), ("globex", 100))
    await write(log, clock, NOW - 1 * MINUTE, ("acme", 15))
    end = await read_end(log, backlogs, NOW)
    assert end.window == 5 * MINUTE
    assert [end.rate(tenant, 0) for tenant in ("acme", "globex", "quiet", "nobody")] == [5.0, 20.0, 0.0, 0.0]


async def test_lag_is_what_the_index_has_not_passed(log: EventLog, backlogs: Backlogs, clock: Clock) -> None:
    await write(log, clock, NOW - 10 * MINUTE, ("acme", 1), ("globex", 2))
    await write(log, clock, NOW - 2 * MINUTE, ("acme", 3), ("acme", 4))
    await indexed(log, 3)
    end = await read_end(log, backlogs, NOW)
    assert end.lag("acme", 0) == Lag(4, exact=True, since=NOW - 2 * MINUTE)
    assert end.lag("globex", 0) == Lag(0, exact=True, since=None)
    assert end.behind(0) == 1


async def test_a_tenant_with_a_backlog_is_behind_from_there(log: EventLog, backlogs: Backlogs, clock: Clock) -> None:
    await write(log, clock, NOW - 10 * MINUTE, ("acme", 1), ("globex", 2), ("acme", 4))
    await indexed(log, 3)
    await backlogs.open(["acme"], 0, 2)
    end = await read_end(log, backlogs, NOW)
    assert end.lag("acme", 0).events == 4
    assert end.lag("globex", 0).events == 0


async def test_what_is_beyond_the_budget_is_told_as_a_bound(
    log: EventLog, backlogs: Backlogs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_end, "BUDGET", Budget(40, 1_000_000))
    for at in range(120):
        await write(log, clock, NOW - 120_000 + at * 1000, ("acme", 1))
    end = await read_end(log, backlogs, NOW)
    lag = end.lag("acme", 0)
    assert not lag.exact
    assert 40 <= lag.events < 120
    assert end.window == lag.events * 1000, "as far back as it has read"
    assert end.rate("acme", 0) == pytest.approx(60, rel=0.1)


async def test_the_end_is_read_in_pieces_and_nothing_of_it_twice(log: EventLog) -> None:
    await log.append([NewRecord(TENANT_LOG, b"x" * 1000, "acme") for _ in range(1234)])
    end = (await log.ends(TENANT_LOG))[0]
    whole = [piece async for piece in backwards(log, TENANT_LOG, 0, start=0, end=end, budget=Budget(10_000, 10_000_000))]
    offsets = [record.offset for _, records in reversed(whole) for record in records]
    assert offsets == sorted(set(offsets))
    assert len(offsets) == 1234
    assert whole[-1][0] == 0
    part = [piece async for piece in backwards(log, TENANT_LOG, 0, start=0, end=end, budget=Budget(10_000, 100_000))]
    assert 100 <= sum(len(records) for _, records in part) <= 200


async def test_an_engine_that_is_away_leaves_its_part_out_and_says_why(log: EventLog, backlogs: Backlogs, tmp_path: Path) -> None:
    class Away(TantivyIndex):
        async def sizes(self) -> None:  # type: ignore[override]
            raise IndexUnavailable("it is on fire; put it out")

    index = Away(tmp_path / "index")
    seen = await glance(log, index, backlogs, Tenants(), lambda: NOW)
    assert seen.troubles == ("The search index does not tell how large the tenants are: it is on fire; put it out",)
    await index.close()


async def test_a_platform_tells_of_its_tenants(here: Site) -> None:
    for tenant in ("acme", "globex"):
        await here.create(tenant)
    await here.settled()
    for tenant in ("acme", "globex"):
        await here.platform.index.refresh(TenantScope(tenant))
    seen = {tenant.id: tenant for tenant in (await here.platform.overview.tenants.get()).tenants}
    assert list(seen) == ["acme", "globex"]
    for found in seen.values():
        assert found.size is not None
        assert found.size.documents >= 3, "what its own creation left in its log"
        assert found.lag == Lag(0, exact=True, since=None)
        assert found.per_minute is not None
        assert found.per_minute > 0


async def test_many_who_ask_cost_one_answer() -> None:
    made: list[int] = []
    clock = [0.0]
    go = asyncio.Event()

    async def make() -> int:
        made.append(len(made))
        await go.wait()
        return made[-1]

    kept: Kept[int] = Kept(make, 5.0, clock=lambda: clock[0])
    asked = [asyncio.create_task(kept.get()) for _ in range(10)]
    await asyncio.sleep(0)
    asked[0].cancel()  # who gives up ends it for nobody else
    go.set()
    assert await asyncio.gather(*asked[1:]) == [0] * 9
    clock[0] = 4.9
    assert await kept.get() == 0
    clock[0] = 5.1
    assert await kept.get() == 1
    kept.forget()
    assert await kept.get() == 2
    await kept.close()


async def test_who_does_not_wait_gets_the_answer_before() -> None:
    answers = ["first", "second"]
    go = asyncio.Event()
    clock = [0.0]

    async def make() -> str:
        await go.wait()
        return answers.pop(0)

    kept: Kept[str] = Kept(make, 5.0, clock=lambda: clock[0])
    assert await kept.within(0.001) is None
    go.set()
    assert await kept.within(60) == "first"
    go.clear()
    clock[0] = 6.0
    assert await kept.within(0.001) == "first", "which is old by now"
    go.set()
    assert await kept.within(60) == "second"
    await kept.close()


async def test_an_error_is_not_kept() -> None:
    failing = [True]

    async def make() -> str:
        if failing[0]:
            raise IndexUnavailable("away")
        return "here"

    kept: Kept[str] = Kept(make, 5.0)
    with pytest.raises(IndexUnavailable):
        await kept.get()
    failing[0] = False
    assert await kept.get() == "here"
