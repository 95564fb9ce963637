"""Members of a group: what befalls them, and what they make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, IDP_EVENTS, NewRecord
from streams.log_kafka import KafkaEventLog
from tests.streams.log_kafka.conftest import Opening


def new(value: str) -> NewRecord:
    return NewRecord(IDP_EVENTS, value.encode())


async def test_a_member_whose_coordination_has_died_says_so_and_begins_anew(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await log.append([new("a")])
    lookup = AIOKafkaClient.coordinator_lookup
    dead: list[str] = []

    async def dying(self: Any, kind: int, key: str) -> Any:
        if not dead:
            dead.append(key)
            raise AssertionError("Did we not perform bootstrap?")  # what aiokafka says of a broker that has only just started
        return await lookup(self, kind, key)

    monkeypatch.setattr(AIOKafkaClient, "coordinator_lookup", dying)
    async with log.follow(IDP_EVENTS, "router") as subscription:
        with pytest.raises(LogUnavailable):
            await subscription.next(30)
        batch = await subscription.next(30)
        assert batch is not None
        await subscription.advance(batch)


async def test_more_members_than_partitions_wait_for_their_turn(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.log_kafka.group._GRACE_SECONDS", 0.0)
    logs = [await opening() for _ in range(3)]  # of two partitions
    members = [log.follow(IDP_EVENTS, "router") for log in logs]
    waiting = [asyncio.create_task(member.next(30)) for member in members]
    while sum(bool(member._tenures) for member in members) != 2:  # type: ignore[attr-defined]  # noqa: ASYNC110 -- in Kafka
        await asyncio.sleep(0.02)
    for n in range(6):
        await logs[n % 3].append([new(str(n))])
    done, idle = await asyncio.wait(waiting, timeout=1)
    assert (len(done), len(idle)) == (2, 1)
    for member in members:
        if member._tenures:  # type: ignore[attr-defined]
            await member.__aexit__(None, None, None)
            break
    [heir] = await asyncio.gather(*idle)
    assert heir is not None, "what its predecessor has not advanced comes to it"
    for member in members:
        await member.__aexit__(None, None, None)


async def test_outputs_do_not_go_to_control(log: KafkaEventLog) -> None:
    await log.append([new("a")])
    async with log.follow(IDP_EVENTS, "router") as subscription:
        batch = await subscription.next(30)
        assert batch is not None
        with pytest.raises(ValueError, match="control"):
            await subscription.advance(batch, [NewRecord(CONTROL, b"x", "acme")])


async def test_batches_of_a_partition_are_advanced_in_order(log: KafkaEventLog) -> None:
    await log.append([NewRecord(IDP_EVENTS, b"x", "acme") for _ in range(3)])
    async with log.follow(IDP_EVENTS, "router", max_records=1) as subscription:
        batches = [await subscription.next(30) for _ in range(3)]
        assert all(batches)
        with pytest.raises(ValueError, match="in the order"):
            await subscription.advance(batches[1])  # type: ignore[arg-type]
        for batch in batches:
            await subscription.advance(batch)  # type: ignore[arg-type]


async def test_a_closed_log_ends_its_followers(log: KafkaEventLog) -> None:
    waiting = [asyncio.create_task(log.follow(IDP_EVENTS, group).next()) for group in (None, "router")]
    await asyncio.wait(waiting, timeout=0.5)
    await log.close()
    for task in waiting:
        with pytest.raises(LogUnavailable, match="ended"):
            await task
    for question in (log.append([new("x")]), log.read(IDP_EVENTS), log.ends(IDP_EVENTS)):
        with pytest.raises(LogUnavailable):
            await question


async def test_a_next_that_is_given_up_loses_nothing(log: KafkaEventLog) -> None:
    async with log.follow(IDP_EVENTS, "router") as subscription:
        seen: list[bytes] = []
        for n in range(30):
            waiting = asyncio.create_task(subscription.next())
            await asyncio.wait({waiting}, timeout=0.001 * (n % 7))
            if n % 3 == 0:
                await log.append([new(str(n))])
            waiting.cancel()
            await asyncio.wait({waiting})
            if not waiting.cancelled() and (batch := waiting.result()) is not None:
                seen += [record.value for record in batch.records]
        while len(seen) < 10:
            batch = await subscription.next(30)
            assert batch is not None
            seen += [record.value for record in batch.records]
    assert sorted(seen) == sorted(b"%d" % n for n in range(0, 30, 3))
