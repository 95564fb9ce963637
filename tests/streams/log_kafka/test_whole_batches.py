"""Who is behind gets large batches, several fetches each; who is not waits for nothing, or for the time that its pace gives to others."""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
import weakref

import pytest

from streams.event_log import DEAD_LETTERS, TENANT_LOG, NewRecord
from streams.log_kafka import KafkaEventLog
from streams.log_kafka.consumer import Consumer
from streams.log_kafka.places import Place
from tests.daemon import PATIENCE

_VALUE = 500_000
_MANY = 24


class Raw:
    """As much of aiokafka's record as a place looks at."""

    serialized_value_size = 10


def test_a_batch_is_whole_when_it_is_large_enough_or_nothing_more_is_there() -> None:
    place = Place(0, 0)
    place.fetched([Raw()], 1, 5)
    assert not place.whole(10, 25)
    place.fetched([Raw(), Raw()], 3, 5)
    assert place.whole(10, 25), "bytes"
    assert place.whole(3, 100), "records"
    assert not place.whole(10, 100)
    place.fetched([Raw()], 5, 5)
    assert place.whole(10, 100), "all there is"
    place.fetched([], 5, 9)
    place.forget()
    assert place.whole(10, 100)


def test_a_batch_does_not_wait_for_ever_for_what_the_broker_has() -> None:
    place = Place(0, 0)
    place.fetched([Raw()], 1, 5)
    place.asked_in_vain(0.2)
    place.fetched([Raw()], 2, 5)
    place.asked_in_vain(0.2)
    assert not place.whole(10, 100), "some has come meanwhile"
    place.asked_in_vain(0.1)
    assert place.whole(10, 100)


def test_a_batch_waits_as_long_as_nobody_asks_for_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("streams.log_kafka.places.time.monotonic", lambda: now)
    place = Place(0, 0)
    place.fetched([Raw()], 1, 5)
    now += 1000
    assert not place.whole(10, 100), "others' batches were filled meanwhile"


@pytest.mark.parametrize("group", [None, "test"])
async def test_what_is_done_is_not_kept(log: KafkaEventLog, group: str | None) -> None:
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, group) as following:
        await log.append([NewRecord(TENANT_LOG, b"one", "acme")])
        while (batch := await following.next()) is None or not batch.records:
            if batch is not None and group is not None:
                await following.advance(batch)
        kept = weakref.ref(batch)
        if group is not None:
            letters = [NewRecord(DEAD_LETTERS, b"letter", "acme")]
            assert await following.advance(batch, letters) == await following.advance(batch, letters), "asked again by who still has it"
            assert len(await log.read(DEAD_LETTERS, key="acme")) == 1
        del batch
        gc.collect()
        assert kept() is None


def test_with_a_pace_a_batch_waits_for_its_time_unless_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("streams.log_kafka.places.time.monotonic", lambda: now)
    place = Place(0, 0, pace=0.5)
    place.fetched([Raw()], 1, 1)
    assert place.whole(10, 100), "the first after a quiet time comes at once"
    place.forget()
    place.take("tenant-log", None, 10, 100)
    place.fetched([Raw()], 1, 1)
    assert not place.whole(10, 100)
    assert place.rest == 0.5
    assert place.whole(10, 10), "as large as it may be"
    now += 0.5
    assert place.whole(10, 100)


def test_with_a_pace_the_times_of_all_partitions_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.1
    monkeypatch.setattr("streams.log_kafka.places.time.monotonic", lambda: now)
    places = [Place(partition, 0, pace=0.5) for partition in range(3)]
    for place in places:
        place.take("tenant-log", None, 10, 100)
        now += 0.1
    assert [place.rest for place in places] == pytest.approx([0.1] * 3)


async def test_with_a_pace_what_comes_one_by_one_is_handed_out_together(log: KafkaEventLog) -> None:
    pace, many = 0.5, 100
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, "test", pace=pace) as following:
        began, batches = time.monotonic(), 0
        found: list[bytes] = []

        async def send() -> None:
            for number in range(many):
                await log.append([NewRecord(TENANT_LOG, b"%d" % number, "acme")])

        sending = asyncio.create_task(send())
        while len(found) < many:
            batch = await following.next()
            assert batch is not None
            batches += bool(batch.records)
            found += [record.value for record in batch.records]
            await following.advance(batch)
        await sending
        assert found == [b"%d" % number for number in range(many)]
        assert batches <= 2 + (time.monotonic() - began) / pace


@pytest.mark.parametrize("group", [None, "test"])
async def test_who_is_behind_gets_large_batches(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch, group: str | None) -> None:
    monkeypatch.setattr("streams.log_kafka.places._PATIENCE_SECONDS", 5.0)  # whatever the machine is doing
    wanted = [secrets.token_bytes(_VALUE) for _ in range(_MANY)]
    for first in range(0, _MANY, 6):
        await log.append([NewRecord(TENANT_LOG, value, "acme") for value in wanted[first : first + 6]])
    got: list[list[bytes]] = []
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, group, max_bytes=24 << 20) as following:
        while sum(map(len, got)) < _MANY:
            batch = await following.next()
            assert batch is not None
            got.append([record.value for record in batch.records])
            if group is not None:
                await following.advance(batch)
    assert [value for values in got for value in values] == wanted
    assert max(sum(map(len, values)) for values in got) >= 6 << 20, "a partition's fetch is 2 MB"


@pytest.mark.parametrize("group", [None, "test"])
async def test_who_is_not_behind_waits_for_nothing(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch, group: str | None) -> None:
    monkeypatch.setattr("streams.log_kafka.places._PATIENCE_SECONDS", 10 * PATIENCE)  # who waits for more waits for ever
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, group, max_bytes=24 << 20) as following:
        for number in range(5):
            await log.append([NewRecord(TENANT_LOG, b"%d" % number, "acme"), NewRecord(TENANT_LOG, b"beside", "globex")])
            found: list[bytes] = []
            while not {b"%d" % number, b"beside"} <= set(found):
                batch = await following.next()
                assert batch is not None
                found += [record.value for record in batch.records]
                if group is not None:
                    await following.advance(batch)


async def test_who_asks_in_vain_for_more_gets_what_there_is(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Consumer, "end", lambda *_: 1_000_000)  # as of a broker that has more, and does not give it
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, None, max_bytes=24 << 20) as following:
        await log.append([NewRecord(TENANT_LOG, b"one", "acme")])
        found: list[bytes] = []
        while not found:
            batch = await following.next()
            found += [record.value for record in batch.records] if batch is not None else []
        assert found == [b"one"]


async def test_only_the_partition_that_is_asked_is_asked_in_vain(log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    count = Place.asked_in_vain

    def counted(place: Place, seconds: float) -> None:
        asked.append(place.partition)
        count(place, seconds)

    monkeypatch.setattr(Place, "asked_in_vain", counted)
    monkeypatch.setattr(Consumer, "end", lambda *_: 1_000_000)
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, None, max_bytes=24 << 20) as following:
        await log.append([NewRecord(TENANT_LOG, b"%d" % number, f"tenant-{number}") for number in range(20)])
        while (batch := await following.next()) is None or not batch.records:
            pass
    assert set(asked) == {batch.partition}


async def test_who_does_not_wait_gets_what_there_is(log: KafkaEventLog) -> None:
    async with asyncio.timeout(PATIENCE), log.follow(TENANT_LOG, None, max_bytes=24 << 20) as following:
        await log.append([NewRecord(TENANT_LOG, b"one", "acme")])
        found: list[bytes] = []
        while not found:
            batch = await following.next(wait=0)
            found += [record.value for record in batch.records] if batch is not None else []
        assert found == [b"one"]
