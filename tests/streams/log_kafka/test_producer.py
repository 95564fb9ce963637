"""A producer that is of no use any more leaves nothing behind: nobody who waits for it, no error that nobody looks at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.errors import ProducerClosed, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.event_log import TENANT_LOG, NewRecord
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka import producer as producer_module
from streams.log_kafka.producer import NotWritten, Producer
from tests.contract.leftovers import none_left


class Fenced:
    """A producer whose id a newer one has taken, and what it would write."""

    def __init__(self, connection: KafkaConnection, log: KafkaEventLog) -> None:
        self.producer, self.newer = (Producer(connection, f"{connection.prefix}.one") for _ in range(2))
        self._group = f"{connection.prefix}.group"
        self._log = log

    async def start(self) -> None:
        await self.producer.start()
        await self.newer.start()

    async def transact(self) -> Any:
        records = await self._log.addressed([NewRecord(TENANT_LOG, b"one", "acme")])
        offsets = {TopicPartition(records[0].topic, records[0].partition): OffsetAndMetadata(1, "")}
        return await self.producer.transact(records, offsets, self._group)

    async def discard(self) -> None:
        await self.producer.discard()
        await self.newer.discard()


@pytest.fixture
async def fenced(connection: KafkaConnection) -> AsyncIterator[Fenced]:
    log = await KafkaEventLog.open(connection)
    async with none_left():
        made = Fenced(connection, log)
        await made.start()
        yield made
        await made.discard()
        await log.close()


async def test_what_waits_for_another_part_ends_with_the_one_that_fails(fenced: Fenced, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()  # as for where a topic's partitions are, of a broker that does not answer

    monkeypatch.setattr(fenced.producer, "send_batch", never)
    async with asyncio.timeout(60):
        with pytest.raises(NotWritten) as refused:
            await fenced.transact()
    assert isinstance(refused.value.__cause__, ProducerFenced)


@pytest.mark.parametrize("turns", range(4, 16))
async def test_who_gives_up_at_any_moment_leaves_nothing(fenced: Fenced, turns: int) -> None:
    """After so many turns of the event loop: before, while or after the broker refuses it."""
    writing = asyncio.create_task(fenced.transact())
    for _ in range(turns):
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises((NotWritten, asyncio.CancelledError)):
        await writing


@pytest.mark.parametrize("doing", ["cursor", "commit"])
async def test_whoever_waits_for_the_broker_hears_that_the_producer_has_ended(
    fenced: Fenced, monkeypatch: pytest.MonkeyPatch, doing: str
) -> None:
    producer = fenced.newer
    await producer.begin_transaction()
    monkeypatch.setattr(producer._txn_manager, "notify_task_waiter", lambda: None)  # nothing more is asked of the broker
    offsets = {TopicPartition("never", 0): OffsetAndMetadata(1, "")}
    waiting = asyncio.create_task(
        producer_module._end(producer._txn_manager.add_offsets_to_txn(offsets, "group"))
        if doing == "cursor"
        else producer.commit_transaction()
    )
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await producer.discard()
        with pytest.raises(ProducerClosed):
            await waiting


async def test_a_batch_that_fails_when_nobody_waits_for_it_any_more_leaves_nothing(fenced: Fenced, monkeypatch: pytest.MonkeyPatch) -> None:
    producer, fenced.producer, fenced.newer = fenced.newer, fenced.newer, fenced.producer
    monkeypatch.setattr(producer.client.cluster, "leader_for_partition", lambda _: -1)  # as for a moment when a broker is started
    monkeypatch.setattr(producer._message_accumulator, "_batch_ttl", 0.05)
    writing = asyncio.create_task(fenced.transact())
    async with asyncio.timeout(60):
        while not (batches := [batch for one in producer._message_accumulator._batches.values() for batch in one]):  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises((NotWritten, asyncio.CancelledError)):
            await writing
        await asyncio.wait([batch.future for batch in batches])
