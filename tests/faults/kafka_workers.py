"""Processes that work on Kafka until they are done or killed: `python -m tests.faults.kafka_workers WHAT URL NAME COUNT`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.logs import configure
from streams.errors import Changed, LogUnavailable, Overtaken
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, Batch, NewRecord
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka.producer import Producer
from tests.daemon import PATIENCE, ROOT

KEYS = ("acme", "globex", "initech")
GROUP = "copier"


def connection(url: str) -> KafkaConnection:
    return KafkaConnection.from_url(url)


def say(*words: object) -> None:
    """In one write: with PYTHONUNBUFFERED, `print` makes one of each word, and who is killed between them has said half a line."""
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


async def decide(log: KafkaEventLog, name: str, count: int) -> None:
    """Appends to each key in turn two records with the key's next number, if nobody else did; says which."""
    for n in range(count):
        key = KEYS[n % len(KEYS)]
        while True:
            try:
                records = await log.read(CONTROL, key=key)
                number = len(records) // 2
                new = [NewRecord(CONTROL, f"{number} {name} {half}".encode(), key) for half in "ab"]
                appended = await log.append_if_unchanged(new, last=records[-1].offset if records else None)
            except (Changed, LogUnavailable):
                continue
            say(key, number, name, appended[0].offset)
            break


def outputs(batch: Batch) -> list[NewRecord]:
    """What copying comes to: each record once, every tenth to the dead letters."""
    return [
        NewRecord(DEAD_LETTERS, record.value) if record.offset % 10 == 9 else NewRecord(TENANT_LOG, record.value, f"k{record.offset % 5}")
        for record in batch.records
    ]


async def copy(log: KafkaEventLog, _name: str, count: int) -> None:
    """Copies batches, as a member of the group, until it is killed or has copied `count` of them."""
    done = 0
    while True:
        with contextlib.suppress(Overtaken, LogUnavailable):
            async with log.follow(IDP_EVENTS, GROUP, max_records=7) as subscription:
                while (batch := await subscription.next()) is not None:
                    await subscription.advance(batch, outputs(batch))
                    say(batch.partition, batch.start, batch.end)
                    done += 1
                    if done == count:
                        return


async def copy_and_die(log: KafkaEventLog, name: str, count: int) -> None:
    """Copies `count` batches, and dies between producing and committing the next one."""
    commit = Producer.commit_transaction
    left = count

    async def dying(self: Producer) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        await commit(self)

    Producer.commit_transaction = dying  # type: ignore[method-assign]
    await copy(log, name, count + 1)


WORK: dict[str, Callable[[KafkaEventLog, str, int], Any]] = {"decide": decide, "copy": copy, "copy-and-die": copy_and_die}


async def until(there: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it is so. Nothing tells across processes and servers, so it is asked for."""
    async with asyncio.timeout(3 * PATIENCE):
        while not await there():  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.03)


@asynccontextmanager
async def worker(what: str, url: str, name: str, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that works; it is killed at the end, if it has not ended by then."""
    command = [sys.executable, "-m", __name__, what, url, name, str(count)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, limit=1 << 24)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _main() -> None:
    configure()  # what it says for people goes to the standard error: the other is for the test
    what, url, name, count = sys.argv[1:]
    log = KafkaEventLog(connection(url))
    try:
        await WORK[what](log, name, int(count))
    finally:
        await log.close()


if __name__ == "__main__":
    asyncio.run(_main())
