"""A commit whose answer is lost, or makes no sense: what happened is found out, and nothing happens twice or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiokafka.producer.sender import EndTxnHandler

from streams.errors import AppendInDoubt, Changed, Overtaken
from streams.event_log import CONTROL, IDP_EVENTS, TENANT_LOG, Batch, NewRecord, Subscription
from streams.log_kafka import KafkaEventLog
from streams.log_kafka.group import GroupSubscription
from streams.log_kafka.producer import Producer
from tests.streams.log_kafka.conftest import Opening

Lose = Callable[[str], None]
PRODUCER_FENCED = 90
"""A broker answers so where another has just taken the id; aiokafka does not know the code, and its sender ends."""


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """Makes the next commit's answer get lost, of a commit that happened or of one that did not; or be a code that is not known."""
    commit, end = Producer.commit_transaction, EndTxnHandler.do
    losing: list[str] = []

    async def losing_commit(self: Producer) -> None:
        what = losing.pop() if losing and "answered" not in losing[0] else None
        if what != "unasked":
            await commit(self)
        if what is not None:
            raise TimeoutError

    async def losing_end(self: EndTxnHandler, node: int) -> bool:
        what = losing.pop() if losing else None
        if what == "asked, answered":
            await self._sender.client.send(node, self.create_request(), group=self.group)
        if what is not None:
            self.handle_response(SimpleNamespace(error_code=PRODUCER_FENCED))
        return bool(await end(self, node))

    monkeypatch.setattr(Producer, "commit_transaction", losing_commit)
    monkeypatch.setattr(EndTxnHandler, "do", losing_end)
    return losing.append


each_loss = pytest.mark.parametrize("what", ["asked", "unasked", "asked, answered", "unasked, answered"])


def new(value: str, key: str | None = "acme", stream: str = TENANT_LOG) -> NewRecord:
    return NewRecord(stream, value.encode(), key)


async def values(log: KafkaEventLog, stream: str = TENANT_LOG) -> list[str]:
    return [record.value.decode() for record in await log.read(stream, key="acme")]


async def first(subscription: Subscription) -> Batch:
    while True:
        batch = await subscription.next(30)
        assert batch is not None
        if batch.records:
            return batch


@each_loss
async def test_an_append_is_there_once(log: KafkaEventLog, lose: Lose, what: str) -> None:
    await log.append([new("before")])
    lose(what)
    appended = await log.append([new("a"), new("b")])
    assert await values(log) == ["before", "a", "b"]
    assert list(await log.read(TENANT_LOG, key="acme", start=appended[0].offset)) == list(appended)


@pytest.mark.parametrize("what", ["asked", "unasked"])
async def test_an_append_that_can_not_be_asked_about_is_in_doubt(
    log: KafkaEventLog, lose: Lose, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    await log.append([new("before")])
    lose(what)
    monkeypatch.setattr("streams.log_kafka.lane.DOUBT_SECONDS", 0.0)
    with pytest.raises(AppendInDoubt, match="look before you append it again"):
        await log.append([new("a"), new("b")])
    await log.append([new("after")])
    assert await values(log) == ["before", *(["a", "b"] if what == "asked" else []), "after"]


@each_loss
async def test_a_conditional_append_is_there_once(log: KafkaEventLog, lose: Lose, what: str) -> None:
    lose(what)
    [one] = await log.append_if_unchanged([new("a", stream=CONTROL)], last=None)
    with pytest.raises(Changed):
        await log.append_if_unchanged([new("x", stream=CONTROL)], last=None)
    await log.append_if_unchanged([new("b", stream=CONTROL)], last=one.offset)
    assert await values(log, CONTROL) == ["a", "b"]


@each_loss
async def test_an_advance_happens_once(log: KafkaEventLog, lose: Lose, what: str) -> None:
    await log.append([new("raw", stream=IDP_EVENTS)])
    async with log.follow(IDP_EVENTS, "router") as subscription:
        batch = await first(subscription)
        lose(what)
        [output] = await subscription.advance(batch, [new("segment")])
        assert (await log.cursors(IDP_EVENTS, "router"))[batch.partition] == batch.end
        await log.append([new("raw too", stream=IDP_EVENTS)])
        following = await first(subscription)
        assert [record.value for record in following.records] == [b"raw too"]
        await subscription.advance(following, [new("segment too")])
    assert await values(log) == ["segment", "segment too"]
    assert (await log.read(TENANT_LOG, key="acme"))[0] == output


async def test_a_member_that_was_replaced_and_does_not_know_advances_nothing(opening: Opening) -> None:
    log, successor = await opening(), await opening()
    await log.append([new("raw", stream=IDP_EVENTS)])
    async with log.follow(IDP_EVENTS, "router") as subscription:
        batch = await first(subscription)
        # What a successor does on being given the partition, while this one is asleep.
        other = successor.follow(IDP_EVENTS, "router")
        assert isinstance(other, GroupSubscription)
        cursors = await successor._broker.committed(other._names.group("router"), other._topic, stable=True)
        await other._member.take_over([cursors[batch.partition]])
        await other._member.transact(await successor.addressed([new("theirs")]), {other.part(batch.partition): batch.end})
        await other.end()
        with pytest.raises(Overtaken):
            await subscription.advance(batch, [new("mine")])
        await successor.append([new("raw too", stream=IDP_EVENTS)])
        assert [record.value for record in (await first(subscription)).records] == [b"raw too"], "it goes on behind its successor"
    assert await values(log) == ["theirs"]


async def test_a_batch_that_outlives_a_rebalance_can_be_advanced_if_the_partition_came_back(
    log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.log_kafka.group._GRACE_SECONDS", 0.0)
    await log.append([new("raw", stream=IDP_EVENTS)])
    async with log.follow(IDP_EVENTS, "router") as subscription:
        batch = await first(subscription)
        assert isinstance(subscription, GroupSubscription)
        before = subscription._rebalances
        subscription._consumer._coordinator.request_rejoin()  # type: ignore[union-attr]
        while subscription._rebalances == before:
            assert await subscription.next(0.1) is None, "what is in hand does not come again"
        await subscription.advance(batch, [new("segment")])
        assert await subscription.next(0.3) is None
    assert await values(log) == ["segment"]


async def test_a_batch_that_the_caller_works_on_is_waited_for_by_a_rebalance(opening: Opening) -> None:
    log, other = await opening(), await opening()
    await log.append([new(str(n), key=f"t{n}", stream=IDP_EVENTS) for n in range(20)])
    async with log.follow(IDP_EVENTS, "router") as subscription:
        batch = await first(subscription)
        async with other.follow(IDP_EVENTS, "router") as joining:
            waiting = asyncio.create_task(joining.next(30))
            held = [batch]
            while not subscription._revoking:  # type: ignore[attr-defined]
                if (more := await subscription.next(0.05)) is not None:
                    held.append(more)
            assert not waiting.done(), "it has nothing while somebody works on it"
            for one in held:
                await subscription.advance(one)
            await log.append([new(str(n), key=f"t{n}", stream=IDP_EVENTS) for n in range(20)])
            theirs = await waiting
            assert theirs is not None
            assert (theirs.partition, theirs.start) in {(one.partition, one.end) for one in held}
