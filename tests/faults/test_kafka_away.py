"""Kafka goes away under appenders and followers: they say so in time, go on by themselves, and nothing is lost or there twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from operator import ge

import pytest

from streams.errors import AppendInDoubt, Changed, LogUnavailable, Overtaken
from streams.event_log import CONTROL, IDP_EVENTS, TENANT_LOG, NewRecord
from streams.log_kafka import KafkaEventLog
from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.kafka_workers import until
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Work:
    """Appenders and followers that never give up, and what they were told."""

    def __init__(self, log: KafkaEventLog) -> None:
        self.log = log
        self.stopping = asyncio.Event()
        self.appended: list[int] = []
        self.refused: list[int] = []
        self.doubtful: list[int] = []
        self.decided: list[int] = []
        self.followed: Counter[int] = Counter()
        self.unavailable: Counter[str] = Counter()
        self.longest = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts them."""
        works = (self._append(), self._decide(), self._follow(), self._copy())
        self._tasks = [asyncio.create_task(work) for work in works]

    async def stop(self) -> None:
        """Returns when the appenders have stopped and the followers have seen everything; checks what is in the log."""
        self.stopping.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._tasks[:2])
        total = len(await self.numbers(IDP_EVENTS))

        async def there() -> bool:
            self.alive()
            # Asked for each time: the last append's marker may come a moment after it has returned.
            copied = dict(await self.log.cursors(IDP_EVENTS, "copier")) == dict(await self.log.ends(IDP_EVENTS))
            return copied and sum(self.followed.values()) >= total

        await until(there)
        for task in self._tasks[2:]:
            task.cancel()
        await asyncio.gather(*self._tasks[2:], return_exceptions=True)
        await self._check()

    def alive(self) -> None:
        """Fails when one of them has ended."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def numbers(self, stream: str) -> Counter[int]:
        """The numbers in a stream."""
        found: Counter[int] = Counter()
        for partition in await self.log.ends(stream):
            found.update(int(record.value) for record in await self.log.read(stream, partition=partition, limit=1_000_000))
        return found

    async def _check(self) -> None:
        there = await self.numbers(IDP_EVENTS)
        assert set(there.values()) == {1}, "nothing is there twice"
        assert set(self.appended) <= set(there), "what was acknowledged is there"
        assert not set(self.refused) & set(there), "what was refused is not"
        assert set(there) <= set(self.appended) | set(self.doubtful)
        assert self.followed == there
        assert await self.numbers(TENANT_LOG) == there, "copied exactly once"
        decided = [int(record.value) for record in await self.log.read(CONTROL, key="acme", limit=1_000_000)]
        assert decided == list(range(len(decided)))
        assert set(self.decided) <= set(decided)

    async def _append(self) -> None:
        number = 0
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                await self.log.append([NewRecord(IDP_EVENTS, str(number).encode())])
                self.appended.append(number)
            except LogUnavailable as error:
                (self.doubtful if isinstance(error, AppendInDoubt) else self.refused).append(number)
                self._count("append", begun)
            number += 1

    async def _decide(self) -> None:
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                records = await self.log.read(CONTROL, key="acme", limit=1_000_000)
                last = records[-1].offset if records else None
                await self.log.append_if_unchanged([NewRecord(CONTROL, str(len(records)).encode(), "acme")], last=last)
                self.decided.append(len(records))
            except LogUnavailable:
                self._count("decide", begun)
            except Changed:
                pass  # one in doubt before it has happened

    async def _follow(self) -> None:
        async with self.log.follow(IDP_EVENTS, None) as subscription:
            while True:
                begun = time.monotonic()
                try:
                    batch = await subscription.next()
                    assert batch is not None
                    self.followed.update(int(record.value) for record in batch.records)
                except LogUnavailable:
                    self._count("follow", begun)
                    await asyncio.sleep(0.1)

    async def _copy(self) -> None:
        async with self.log.follow(IDP_EVENTS, "copier") as subscription:
            while True:
                try:
                    begun = time.monotonic()
                    batch = await subscription.next()
                except LogUnavailable:
                    self._count("next", begun)
                    await asyncio.sleep(0.1)
                    continue
                assert batch is not None
                while True:
                    try:
                        begun = time.monotonic()
                        await subscription.advance(batch, [NewRecord(TENANT_LOG, record.value, "acme") for record in batch.records])
                    except LogUnavailable:
                        self._count("advance", begun)
                    except Overtaken:
                        break
                    else:
                        break

    def _count(self, what: str, begun: float) -> None:
        self.unavailable[what] += 1
        self.longest = max(self.longest, time.monotonic() - begun)


async def working(work: Work, *, more: int = 20) -> None:
    """Returns when so many more appends, decisions and copies have happened."""

    def counts() -> tuple[int, int, int]:
        return len(work.appended), len(work.decided), sum(work.followed.values())

    marks = [count + more for count in counts()]

    async def there() -> bool:
        work.alive()
        return all(map(ge, counts(), marks))

    await until(there)


async def test_a_kafka_that_was_killed_is_used_again_when_it_is_back(own: Kafka, log: KafkaEventLog) -> None:
    work = Work(log)
    work.start()
    await working(work)
    await asyncio.to_thread(own.kill)
    with pytest.raises(LogUnavailable, match="brokers"):
        await log.ends(CONTROL)
    await asyncio.to_thread(own.start)
    await working(work)
    await work.stop()


@pytest.mark.long
async def test_a_kafka_that_is_away_is_said_to_be_by_everybody_in_time(own: Kafka, log: KafkaEventLog) -> None:
    work = Work(log)
    work.start()
    await working(work)
    await asyncio.to_thread(own.kill)

    async def said() -> bool:
        work.alive()
        return {"append", "follow"} <= set(work.unavailable)

    await until(said)
    await asyncio.to_thread(own.start)
    await working(work)
    await work.stop()
    assert work.longest < 45


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_kafka_that_is_killed_stopped_and_frozen_loses_nothing(own: Kafka, log: KafkaEventLog) -> None:
    dice: random.Random = chance()
    work = Work(log)
    work.start()
    for _ in range(8):
        await working(work)
        await asyncio.sleep(dice.uniform(0, 0.5))  # the random moment
        what = dice.choice(("kill", "stop", "freeze", "freeze"))
        if what == "freeze":
            own.pause()
            await asyncio.sleep(dice.choice((0.5, 6, 12, 30)))
            own.go_on()
        else:
            await asyncio.to_thread(own.kill if what == "kill" else own.stop)
            await asyncio.sleep(dice.choice((0, 2, 20)))
            await asyncio.to_thread(own.start)
    await working(work)
    await work.stop()
    print(work.unavailable, work.longest, len(work.appended), len(work.refused), len(work.doubtful))
