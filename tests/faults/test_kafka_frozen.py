"""Kafka does not answer: what waits for it is told in time, is bounded, and is dropped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, TENANT_LOG, NewRecord
from streams.log_kafka import KafkaEventLog
from streams.log_kafka.troubles import REQUEST_MS, WRITE_SECONDS
from tests.faults.kafka_workers import until
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def values(log: KafkaEventLog, stream: str = TENANT_LOG) -> list[bytes]:
    return [record.value for record in await log.read(stream, key="acme")]


def new(value: bytes, stream: str = TENANT_LOG) -> NewRecord:
    return NewRecord(stream, value, "acme")


async def queued(log: KafkaEventLog, count: int) -> None:
    """Returns when one append has begun and so many wait for it."""
    lane = log._appender

    async def there() -> bool:
        return bool(lane._held) and len(lane._jobs) == count

    async with asyncio.timeout(WRITE_SECONDS):
        await until(there)


@contextmanager
def frozen(kafka: Kafka) -> Iterator[None]:
    kafka.pause()
    try:
        yield
    finally:
        kafka.go_on()


async def test_many_appends_that_wait_for_kafka_wait_no_longer_than_one(own: Kafka, log: KafkaEventLog) -> None:
    await log.append([new(b"before")])
    [decided] = await log.append_if_unchanged([new(b"before", CONTROL)], last=None)
    with frozen(own):
        appends = [log.append([new(bytes([n]) * 500_000)]) for n in range(100)]
        decisions = [log.append_if_unchanged([new(b"lost", CONTROL)], last=decided.offset) for _ in range(2)]  # one waits for the other
        async with asyncio.timeout(2 * WRITE_SECONDS):
            answers = await asyncio.gather(*appends, *decisions, return_exceptions=True)
    assert {type(answer) for answer in answers} == {LogUnavailable}
    assert "no answer in time" in str(answers[0])
    await log.append([new(b"after")])
    await log.append_if_unchanged([new(b"after", CONTROL)], last=decided.offset)
    assert [await values(log, stream) for stream in (TENANT_LOG, CONTROL)] == [[b"before", b"after"]] * 2


async def test_an_append_that_nobody_waits_for_any_more_is_not_begun(own: Kafka, log: KafkaEventLog) -> None:
    await log.append([new(b"before")])
    with frozen(own):
        begun = asyncio.create_task(log.append([new(b"begun")]))
        await queued(log, 0)
        waiting = asyncio.create_task(log.append([new(b"given up")]))
        other = asyncio.create_task(log.append([new(b"other")]))
        await queued(log, 2)
        waiting.cancel()
        await asyncio.wait({waiting})
    await asyncio.gather(begun, other)
    assert await values(log) == [b"before", b"begun", b"other"]


async def test_what_waits_for_kafka_is_bounded(own: Kafka, log: KafkaEventLog) -> None:
    await log.append([new(b"before")])
    with frozen(own):
        appends = [asyncio.create_task(log.append([new(b"x" * 4_000_000)])) for _ in range(18)]
        refused, waiting = await asyncio.wait(appends, return_when=asyncio.FIRST_EXCEPTION)
        assert len(waiting) == 16
        for append in refused:
            with pytest.raises(LogUnavailable, match="takes no more now"):
                await append
    await asyncio.gather(*waiting)
    await log.append([new(b"after")])
    assert list(map(len, await values(log))) == [6] + [4_000_000] * 16 + [5]


async def test_a_batch_that_waits_behind_another_is_tried_for_as_long_as_any(own: Kafka, log: KafkaEventLog) -> None:
    await log.append([new(b"before")])
    large = [new(b"x" * 600_000), new(b"y" * 600_000)]
    with frozen(own):
        append = asyncio.create_task(log.append(large))
        done, _ = await asyncio.wait({append}, timeout=REQUEST_MS / 1000 + 1)
        assert not done
    await append
    assert len(await values(log)) == 3
