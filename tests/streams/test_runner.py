"""The embedded runner: nothing is passed over, and a stop lets a batch finish."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from streams.errors import IndexUnavailable
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, Batch, EventLog, NewRecord
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_sqlite import SqliteEventLog
from streams.processors.processor import Processor
from streams.runner import Runner
from tests.servers.kafka import Kafka


class Copies(Processor):
    """Copies each record to the dead letters; fails first, if told so."""

    name: ClassVar[str] = "copies"
    stream: ClassVar[str] = IDP_EVENTS

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.failures = list(failures)
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        self.begun.set()
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop(0)
        return [NewRecord(DEAD_LETTERS, record.value) for record in batch.records]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    opened = SqliteEventLog(tmp_path / "log.sqlite")
    yield opened
    await opened.close()


async def copied(log: SqliteEventLog, count: int) -> list[bytes]:
    values: list[bytes] = []
    async with asyncio.timeout(30), log.follow(DEAD_LETTERS, None) as copies:
        while len(values) < count:
            batch = await copies.next()
            assert batch is not None
            values += [record.value for record in batch.records]
    return values


async def test_everything_is_processed_once_and_in_order(log: SqliteEventLog) -> None:
    runner = Runner(log, [Copies()], max_records=3)
    runner.start()
    for n in range(10):
        await log.append([NewRecord(IDP_EVENTS, b"%d" % n)])
    assert await copied(log, 10) == [b"%d" % n for n in range(10)]
    await runner.stop()
    assert await runner.lag() == {"copies": 0}


@pytest.mark.parametrize("error", [IndexUnavailable("away"), ValueError("a bug")])
async def test_a_batch_that_fails_is_tried_again(log: SqliteEventLog, error: Exception) -> None:
    await log.append([NewRecord(IDP_EVENTS, b"a")])
    runner = Runner(log, [Copies([error])])
    runner.start()
    assert await copied(log, 1) == [b"a"]
    await runner.stop()


async def test_a_stop_lets_the_batch_under_way_finish(log: SqliteEventLog) -> None:
    await log.append([NewRecord(IDP_EVENTS, b"a")])
    copies = Copies()
    copies.may_end.clear()
    runner = Runner(log, [copies])
    runner.start()
    await copies.begun.wait()
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0)
    copies.may_end.set()
    await stopping
    assert await copied(log, 1) == [b"a"]


async def test_two_runners_of_one_group_double_nothing(log: SqliteEventLog, tmp_path: Path) -> None:
    other = SqliteEventLog(tmp_path / "log.sqlite")
    runners = [Runner(log, [Copies()], max_records=1), Runner(other, [Copies()], max_records=1)]
    for runner in runners:
        runner.start()
    for n in range(30):
        await log.append([NewRecord(IDP_EVENTS, b"%d" % n)])
    assert await copied(log, 30) == [b"%d" % n for n in range(30)]
    for runner in runners:
        await runner.stop()
    assert len(await log.read(DEAD_LETTERS)) == 30
    await other.close()


async def one_by_one(log: EventLog, processor: Processor) -> None:
    """Returns when the processor has had all records, in batches of one."""
    runner = Runner(log, [processor], max_records=1)
    runner.start()
    async with asyncio.timeout(60):
        while await runner.lag() != {processor.name: 0}:  # noqa: ASYNC110 -- the group tells nobody
            await asyncio.sleep(0.05)
    await runner.stop()


class Meets(Processor):
    """Ends a batch only when as many are under way as it wants, of different partitions."""

    name: ClassVar[str] = "meets"
    stream: ClassVar[str] = TENANT_LOG
    at_once: ClassVar[int] = 3

    def __init__(self) -> None:
        self.met = asyncio.Barrier(self.at_once)
        self.seen: dict[int, list[bytes]] = defaultdict(list)

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        if batch.records:
            await self.met.wait()
        self.seen[batch.partition] += [record.value for record in batch.records]
        return ()


class Weighs(Processor):
    """Notes how many bytes are under way at once, and lets a batch end when others had time to begin."""

    name: ClassVar[str] = "weighs"
    stream: ClassVar[str] = TENANT_LOG
    at_once: ClassVar[int] = 16
    bytes_at_once: ClassVar[int] = 200

    def __init__(self) -> None:
        self.now = self.most = 0

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        size = sum(len(record.value) for record in batch.records)
        self.now += size
        self.most = max(self.most, self.now)
        for _ in range(100):
            await asyncio.sleep(0)
        self.now -= size
        return ()


async def test_what_is_under_way_at_once_is_bounded(kafka: Kafka) -> None:
    log = await KafkaEventLog.open(KafkaConnection((kafka.bootstrap,), f"test-{uuid.uuid4().hex[:12]}", partitions=6))
    for n in range(60):
        await log.append([NewRecord(TENANT_LOG, b"x" * 70, f"{n}")])
    weighs = Weighs()
    await one_by_one(log, weighs)
    await log.close()
    assert 0 < weighs.most <= weighs.bytes_at_once


async def test_batches_of_several_partitions_are_under_way_at_once_and_those_of_one_in_order(kafka: Kafka) -> None:
    log = await KafkaEventLog.open(KafkaConnection((kafka.bootstrap,), f"test-{uuid.uuid4().hex[:12]}", partitions=Meets.at_once))
    keys = {await log.partition_of(TENANT_LOG, key): key for key in map(str, range(100))}
    for n in range(4):
        await log.append([NewRecord(TENANT_LOG, b"%d" % n, key) for key in keys.values()])
    meets = Meets()
    await one_by_one(log, meets)
    await log.close()
    assert meets.seen == {partition: [b"0", b"1", b"2", b"3"] for partition in keys}


async def test_who_was_overtaken_goes_on_behind_the_other(log: SqliteEventLog) -> None:
    await log.append([NewRecord(IDP_EVENTS, b"a"), NewRecord(IDP_EVENTS, b"b")])
    copies = Copies()
    copies.may_end.clear()
    runner = Runner(log, [copies], max_records=1)
    runner.start()
    await copies.begun.wait()
    async with log.follow(IDP_EVENTS, copies.name, max_records=1) as other:
        batch = await other.next()
        assert batch is not None
        await other.advance(batch, [NewRecord(DEAD_LETTERS, b"a of the other")])
    copies.may_end.set()
    assert await copied(log, 2) == [b"a of the other", b"b"]
    await runner.stop()
    assert len(await log.read(DEAD_LETTERS)) == 2
