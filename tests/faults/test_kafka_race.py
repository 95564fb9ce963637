"""Writers in processes race for `control` and are killed: every decision is on the newest news, and none that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import defaultdict

import pytest

from streams.event_log import CONTROL
from streams.log_kafka import KafkaEventLog
from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.kafka_workers import KEYS, connection, worker
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def url(kafka: Kafka) -> str:
    return f"kafka://{kafka.bootstrap}/test-{uuid.uuid4().hex[:12]}?partitions=2"


async def race(url: str, writers: int, appends: int, *, kills: float, dice: random.Random) -> None:
    """So many writers make so many appends each; a writer is killed with the given probability at a random moment."""
    await (await KafkaEventLog.open(connection(url))).close()
    said: list[str] = []

    async def write(name: str) -> None:
        left = appends
        while left > 0:
            async with worker("decide", url, f"{name}-{left}", left) as process:
                assert process.stdout is not None
                fatal = dice.randint(1, left) if dice.random() < kills else None
                seen = 0
                while line := await process.stdout.readline():
                    said.append(line.decode())
                    seen += 1
                    if seen == fatal:
                        await asyncio.sleep(dice.uniform(0, 0.03))  # somewhere within the next append
                        process.kill()
                rest = await process.stdout.read()
                assert rest == b"", "everything it said was read"
                left -= max(seen, 1)

    async with asyncio.timeout(PATIENCE * 3):
        await asyncio.gather(*(write(f"w{number}") for number in range(writers)))
    await check(url, said, least=writers * appends)


async def check(url: str, said: list[str], *, least: int) -> None:
    """Every key's numbers are 0, 1, 2, …, each by one writer in one piece, and everything that was acknowledged is where it was said."""
    log = await KafkaEventLog.open(connection(url))
    try:
        where: dict[tuple[str, int], str] = {}
        total = 0
        for key in KEYS:
            records = await log.read(CONTROL, key=key, limit=1_000_000)
            found = [record.value.decode().split() for record in records]
            assert [int(number) for number, _, _ in found] == [n // 2 for n in range(len(found))]
            assert [half for _, _, half in found] == ["a", "b"] * (len(found) // 2)
            writers: dict[str, set[str]] = defaultdict(set)
            for number, name, _ in found:
                writers[number].add(name)
            assert all(len(names) == 1 for names in writers.values())
            where |= {(key, record.offset): record.value.decode() for record in records}
            total += len(found) // 2
        for key, number, name, offset in map(str.split, said):
            assert where[key, int(offset)] == f"{number} {name} a"
        assert total >= least or total >= len(said)
    finally:
        await log.close()


async def test_racing_writers_decide_on_the_newest_news(url: str) -> None:
    await race(url, 3, 6, kills=0, dice=chance())


@pytest.mark.long
async def test_racing_writers_that_are_killed_lose_nothing_that_was_acknowledged(url: str) -> None:
    await race(url, 10, 40, kills=0.7, dice=chance())
