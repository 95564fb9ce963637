"""Reading: who has to pass a whole partition leaves a reader to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streams.event_log import TENANT_LOG, NewRecord, Record
from streams.log_kafka import KafkaEventLog
from streams.log_kafka.reader import _Reader


async def test_long_reads_of_many_tenants_do_not_hold_up_a_short_one(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, passing, held, passed = _Reader.scan, asyncio.Semaphore(0), list[str](), asyncio.Event()

    async def long(self: _Reader, stream: str, key: str | None, end: int, limit: int) -> Sequence[Record]:
        if key is not None:
            held.append(key)
            passing.release()
            await passed.wait()
        return await scan(self, stream, key, end, limit)

    monkeypatch.setattr(_Reader, "scan", long)
    [record] = await log.append([NewRecord(TENANT_LOG, b"a", "acme")])
    reads = [asyncio.create_task(log.read(TENANT_LOG, key="acme")) for _ in range(6)]
    for _ in range(3):
        await passing.acquire()
    async with asyncio.timeout(30):
        assert await log.read(TENANT_LOG, partition=record.partition, start=record.offset, limit=1) == [record]
    assert len(held) == 3
    passed.set()
    assert await asyncio.gather(*reads) == [[record]] * 6
