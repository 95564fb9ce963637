"""Members of a group come, go and are killed: every record is copied exactly once, and the group's cursor reaches the end."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, NewRecord, Subscription
from streams.log_kafka import KafkaEventLog
from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.kafka_workers import GROUP, connection, outputs, until, worker
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def url(kafka: Kafka) -> str:
    return f"kafka://{kafka.bootstrap}/test-{uuid.uuid4().hex[:12]}?partitions=4"


@pytest.fixture
async def log(url: str) -> AsyncIterator[KafkaEventLog]:
    log = await KafkaEventLog.open(connection(url))
    yield log
    await log.close()


async def fill(log: KafkaEventLog, first: int, count: int) -> None:
    """Appends numbered records, over all partitions, in transactions of one to seven."""
    while count > 0:
        some = min(count, 1 + first % 7)
        await log.append([NewRecord(IDP_EVENTS, str(number).encode()) for number in range(first, first + some)])
        first, count = first + some, count - some


async def copied(log: KafkaEventLog) -> Counter[int]:
    """How often each number was copied."""
    found: Counter[int] = Counter()
    for stream in (TENANT_LOG, DEAD_LETTERS):
        for partition in await log.ends(stream):
            found.update(int(record.value) for record in await log.read(stream, partition=partition, limit=1_000_000))
    return found


async def at_the_end(log: KafkaEventLog) -> None:
    """Returns when the group's cursors are where the stream ends."""

    async def there() -> bool:
        return dict(await log.cursors(IDP_EVENTS, GROUP)) == dict(await log.ends(IDP_EVENTS))

    await until(there)


async def checked(log: KafkaEventLog, count: int) -> None:
    await at_the_end(log)
    found = await copied(log)
    assert found == Counter(range(count)), (found - Counter(range(count)), Counter(range(count)) - found)


async def test_members_that_come_and_go_copy_everything_once(log: KafkaEventLog) -> None:
    await fill(log, 0, 300)
    stopping = asyncio.Event()

    async def member() -> None:
        async with log.follow(IDP_EVENTS, GROUP, max_records=7) as subscription:
            await copying(subscription, stopping)

    async def copying(subscription: Subscription, stop: asyncio.Event) -> None:
        while not stop.is_set():
            batch = await subscription.next(0.1)
            if batch is not None:
                await subscription.advance(batch, outputs(batch))

    first = asyncio.create_task(member())
    await fill(log, 300, 100)
    async with log.follow(IDP_EVENTS, GROUP, max_records=3) as second:
        done = asyncio.Event()
        leaving = asyncio.create_task(copying(second, done))
        await fill(log, 400, 100)

        async def shared() -> bool:
            return bool(second._tenures)  # type: ignore[attr-defined]

        await until(shared)
        done.set()
        await leaving
    await fill(log, 500, 100)
    await checked(log, 600)
    stopping.set()
    await first


async def test_a_member_that_dies_between_producing_and_committing_leaves_nothing_behind(log: KafkaEventLog, url: str) -> None:
    await fill(log, 0, 60)
    async with worker("copy-and-die", url, "dying", 3) as dying:
        await asyncio.wait_for(dying.wait(), PATIENCE)
        assert dying.returncode == -9
    async with worker("copy", url, "after", 0):
        await checked(log, 60)


@pytest.mark.long
async def test_members_that_are_killed_at_random_copy_everything_once(log: KafkaEventLog, url: str) -> None:
    dice: random.Random = chance()
    filling = asyncio.create_task(fill(log, 0, 4000))
    over = asyncio.Event()

    async def member(name: str) -> None:
        while not over.is_set():
            async with worker("copy", url, name, 0) as process:
                assert process.stdout is not None
                for _ in range(dice.randint(1, 60)):  # lines, each a batch, until it is killed
                    if over.is_set() or not await process.stdout.readline():
                        break

    members = [asyncio.create_task(member(f"m{number}")) for number in range(3)]
    await filling
    await asyncio.sleep(dice.uniform(20, 30))  # the time of the kills
    over.set()
    for task in members:
        task.cancel()
    await asyncio.gather(*members, return_exceptions=True)
    async with worker("copy", url, "last", 0):
        await checked(log, 4000)
