"""What is advanced at once is one transaction; what befalls one of them, and who takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.errors import LogUnavailable, Overtaken
from streams.event_log import IDP_EVENTS, TENANT_LOG, Batch, NewRecord
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka.broker import Broker
from streams.log_kafka.group import GroupSubscription
from streams.log_kafka.producer import Producer
from tests.streams.log_kafka.conftest import Opening


def raw(value: str) -> NewRecord:
    return NewRecord(IDP_EVENTS, value.encode())


def segment(value: str) -> NewRecord:
    return NewRecord(TENANT_LOG, value.encode(), "acme")


async def batches(log: KafkaEventLog, subscription: GroupSubscription, count: int = 2) -> list[Batch]:
    """One of each of so many partitions: what has no key goes to another one each time."""
    for number in range(count):
        await log.append([raw(str(number))])
    found: list[Batch] = []
    while len(found) < count:
        batch = await subscription.next(30)
        assert batch is not None
        if batch.records:
            found.append(batch)
    return sorted(found, key=lambda batch: batch.partition)


@pytest.fixture
async def subscription(log: KafkaEventLog) -> GroupSubscription:
    found = log.follow(IDP_EVENTS, "router")
    assert isinstance(found, GroupSubscription)
    return found


async def values(log: KafkaEventLog) -> list[bytes]:
    return [record.value for record in await log.read(TENANT_LOG, key="acme")]


def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that are fenced from now on."""
    fenced: list[str] = []
    fence = Broker.fence

    async def watched(broker: Broker, transactional_id: str) -> Any:
        fenced.append(transactional_id)
        return await fence(broker, transactional_id)

    monkeypatch.setattr(Broker, "fence", watched)
    return fenced


class Transactions:
    """Counts them, by what they append, and holds them back until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        transact = Producer.transact

        async def counted(producer: Producer, records: Sequence[Any], *rest: Any) -> Any:
            self.sizes.append(len(records))
            self.asked.set()
            await self.open.wait()
            return await transact(producer, records, *rest)

        monkeypatch.setattr(Producer, "transact", counted)


async def test_what_comes_while_a_transaction_is_under_way_shares_the_next(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = KafkaConnection((await opening())._connection.servers, "test-shared", partitions=4)
    log = await KafkaEventLog.open(connection)
    follower = log.follow(IDP_EVENTS, "router")
    assert isinstance(follower, GroupSubscription)
    async with follower as subscription:
        first, *others = await batches(log, follower, 4)
        transactions = Transactions(monkeypatch)
        advances = [asyncio.create_task(subscription.advance(first, [segment("first")]))]
        await transactions.asked.wait()
        advances += [asyncio.create_task(subscription.advance(one, [segment(f"{one.partition}"), segment("more")])) for one in others]
        await asyncio.sleep(0)
        transactions.open.set()
        placed = await asyncio.gather(*advances)
    assert transactions.sizes == [1, 6]
    assert [[record.value for record in each] for each in placed] == [[b"first"], *([b"%d" % one.partition, b"more"] for one in others)]
    cursors = await log.cursors(IDP_EVENTS, "router")
    assert all(cursors[batch.partition] == batch.end for batch in (first, *others))
    assert len(await values(log)) == 7
    await log.close()


async def test_whoever_gives_up_waiting_breaks_nothing_off(
    log: KafkaEventLog, subscription: GroupSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with subscription:
        [batch] = await batches(log, subscription, 1)
        transactions = Transactions(monkeypatch)
        advance = asyncio.create_task(subscription.advance(batch, [segment("once")]))
        await transactions.asked.wait()
        advance.cancel()
        await asyncio.wait({advance})
        again = asyncio.create_task(subscription.advance(batch, [segment("once")]))
        await asyncio.sleep(0)
        transactions.open.set()
        [record] = await again
        assert await subscription.advance(batch, [segment("once")]) == [record], "asked for once more, it tells what it has done"
    assert transactions.sizes == [1]
    assert await values(log) == [b"once"]


async def test_what_the_broker_refuses_holds_up_no_other(
    log: KafkaEventLog, subscription: GroupSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Producer._send

    async def refusing(producer: Producer, records: Sequence[Any]) -> Any:
        if any(record.new.value == b"bad" for record in records):
            raise kafka_errors.MessageSizeTooLargeError
        return await send(producer, records)

    monkeypatch.setattr(Producer, "_send", refusing)
    async with subscription:
        good, bad = await batches(log, subscription)
        for _ in range(3):  # as a processor does, which tries again and again
            tasks = [asyncio.create_task(subscription.advance(batch, [segment(what)])) for batch, what in ((bad, "bad"), (good, "good"))]
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(answers[0], LogUnavailable)
        assert [record.value for record in answers[1]] == [b"good"]  # type: ignore[union-attr]
        monkeypatch.setattr(Producer, "_send", send)
        await subscription.advance(bad, [segment("better")])
    assert await values(log) == [b"good", b"better"]


async def test_an_advance_leaves_its_members_note(log: KafkaEventLog, subscription: GroupSubscription) -> None:
    async with subscription:
        first, second = await batches(log, subscription)
        await subscription.advance(first, [segment("a")])
        await subscription.advance(second)
        cursors = await log._broker.committed(subscription._names.group("router"), subscription._topic, stable=True)
    assert {cursor.note for cursor in cursors.values()} == {subscription._member.identity}
    assert {cursors[batch.partition].offset for batch in (first, second)} == {first.end, second.end}


async def test_who_takes_a_partition_over_ends_what_was_open_there(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, heir = await opening(), await opening()
    left = dead.follow(IDP_EVENTS, "router")
    assert isinstance(left, GroupSubscription)
    first, second = await batches(dead, left)
    await left.advance(first, [segment("before")])

    committing = asyncio.Event()

    async def hanging(_: Producer) -> None:
        committing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Producer, "commit_transaction", hanging)
    advance = asyncio.create_task(left.advance(second, [segment("lost")]))
    await committing.wait()
    assert left._consumer is not None
    await left._consumer.stop()  # for the group it has died
    monkeypatch.undo()
    fenced = seen(monkeypatch)
    async with heir.follow(IDP_EVENTS, "router") as subscription:
        again = await subscription.next(30)
        assert again is not None
        assert [record.value for record in again.records] == [record.value for record in second.records]
        await subscription.advance(again, [segment("after")])
    assert left._member.identity in fenced, "which does not wait until Kafka gives the transaction up"
    assert await values(heir) == [b"before", b"after"]
    await left.end()
    with pytest.raises((Overtaken, LogUnavailable)):
        await advance


async def test_a_note_that_is_no_members_fences_nobody(
    log: KafkaEventLog, subscription: GroupSubscription, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fenced = seen(monkeypatch)
    topic, group = subscription._topic, subscription._names.group("router")
    stranger = AIOKafkaConsumer(bootstrap_servers=list(connection.servers), group_id=group, enable_auto_commit=False)
    await stranger.start()
    stranger.assign([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    ours = log._names.writer("control", 0)
    await stranger.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, ours), TopicPartition(topic, 1): OffsetAndMetadata(0, "")})
    await stranger.stop()
    async with subscription:
        [batch] = await batches(log, subscription, 1)
        await subscription.advance(batch, [segment("a")])
    assert ours not in fenced
    assert subscription._member.identity in fenced


async def test_with_a_pace_the_first_waits_a_little_for_the_others(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = log.follow(IDP_EVENTS, "router", pace=0.05)
    assert isinstance(subscription, GroupSubscription)
    one, other = await batches(log, subscription)
    transactions: list[int] = []
    transact = Producer.transact

    async def watched(self: Producer, records: Sequence[Any], *cursors: Any) -> Any:
        transactions.append(len(records))
        return await transact(self, records, *cursors)

    monkeypatch.setattr(Producer, "transact", watched)
    first = asyncio.create_task(subscription.advance(one, [segment("1")]))
    for _ in range(20):
        await asyncio.sleep(0)  # as batches are worked on one after another
    await asyncio.gather(first, subscription.advance(other, [segment("2")]))
    assert transactions == [2]
    assert sorted(await values(log)) == [b"1", b"2"]
