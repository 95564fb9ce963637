"""What every `EventLog` keeps: one suite, subclassed once for each adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from streams.errors import Changed, Overtaken
from streams.event_log import CONTROL, DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, Batch, EventLog, NewRecord, Subscription
from tests.contract.log_writers import Writers

Open = Callable[[], Awaitable[EventLog]]


def new(value: str, key: str | None = "acme", stream: str = TENANT_LOG, **headers: str) -> NewRecord:
    return NewRecord(stream, value.encode(), key, headers)


class EventLogContract:
    """Subclasses give `opening`: a function that opens the same, at first empty, log as often as it is called."""

    @pytest.fixture
    def opening(self) -> AsyncIterator[Open]:
        raise NotImplementedError

    @pytest.fixture
    async def writers(self) -> Writers:
        """Processes that write to the same log."""
        raise NotImplementedError

    @pytest.fixture
    async def log(self, opening: Open) -> EventLog:
        return await opening()

    async def values(self, log: EventLog, stream: str = TENANT_LOG, key: str | None = "acme") -> list[str]:
        return [record.value.decode() for record in await log.read(stream, key=key)]

    async def test_what_was_appended_is_read_in_order_and_unchanged(self, log: EventLog) -> None:
        value = bytes(range(256))
        [first] = await log.append([NewRecord(TENANT_LOG, value, "acme", {"source": "keycloak", "odd": 'ü"\n'})])
        [second] = await log.append([new("two")])
        read = await log.read(TENANT_LOG, key="acme")
        assert list(read) == [first, second]
        assert read[0].value == value
        assert dict(read[0].headers) == {"source": "keycloak", "odd": 'ü"\n'}
        assert first.offset < second.offset

    async def test_streams_and_keys_do_not_mix(self, log: EventLog) -> None:
        await log.append([new("a"), new("b", key="globex"), new("c", stream=DEAD_LETTERS), new("d", key=None)])
        assert await self.values(log) == ["a"]
        assert await self.values(log, key="globex") == ["b"]
        assert await self.values(log, stream=DEAD_LETTERS) == ["c"]
        assert await self.values(log, stream=IDP_EVENTS) == []

    async def test_a_read_begins_at_its_start_and_ends_at_its_limit(self, log: EventLog) -> None:
        records = await log.append([new(str(n)) for n in range(10)])
        some = await log.read(TENANT_LOG, key="acme", start=records[3].offset, limit=4)
        assert [record.value for record in some] == [b"3", b"4", b"5", b"6"]

    async def test_the_end_is_behind_the_last_record(self, log: EventLog) -> None:
        partition = await log.partition_of(TENANT_LOG, "acme")
        [record] = await log.append([new("a")])
        assert (await log.ends(TENANT_LOG))[partition] > record.offset

    async def test_what_was_appended_outlives_the_log_object(self, opening: Open) -> None:
        log = await opening()
        await log.append([new("kept")])
        await log.close()
        assert await self.values(await opening()) == ["kept"]

    async def test_append_if_unchanged_appends_when_nobody_else_did(self, log: EventLog) -> None:
        [first] = await log.append_if_unchanged([new("a", stream=CONTROL)], last=None)
        await log.append([new("other", key="globex", stream=CONTROL)])
        [second, third] = await log.append_if_unchanged([new("b", stream=CONTROL), new("c", stream=CONTROL)], last=first.offset)
        assert await self.values(log, CONTROL) == ["a", "b", "c"]
        assert first.offset < second.offset < third.offset

    async def test_append_if_unchanged_refuses_and_writes_nothing_when_somebody_did(self, log: EventLog) -> None:
        [first] = await log.append([new("a", stream=CONTROL)])
        await log.append([new("b", stream=CONTROL)])
        for stale in (None, first.offset):
            with pytest.raises(Changed, match="look again"):
                await log.append_if_unchanged([new("x", stream=CONTROL), new("y", stream=CONTROL)], last=stale)
        assert await self.values(log, CONTROL) == ["a", "b"]

    async def test_of_many_at_once_one_appends(self, opening: Open) -> None:
        logs = [await opening(), await opening()]
        attempts = [logs[n % 2].append_if_unchanged([new(str(n), stream=CONTROL)], last=None) for n in range(10)]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(isinstance(result, Changed) for result in results) == 9
        assert len(await self.values(logs[0], CONTROL)) == 1

    async def test_a_refused_append_leaves_the_others_alone(self, log: EventLog) -> None:
        async def refused() -> None:
            with pytest.raises(Changed):
                await log.append_if_unchanged([new("x", stream=CONTROL)], last=12345)

        await asyncio.gather(*(log.append([new(str(n), stream=CONTROL)]) for n in range(5)), refused())
        assert sorted(await self.values(log, CONTROL)) == list("01234")

    async def test_a_follower_gets_everything_in_order(self, log: EventLog) -> None:
        await log.append([new(str(n)) for n in range(25)])
        async with log.follow(TENANT_LOG, "g", max_records=10) as subscription:
            values = await take(subscription, 25)
        assert values == [str(n) for n in range(25)]

    async def test_a_batch_is_bounded_in_bytes_but_never_empty(self, log: EventLog) -> None:
        await log.append([new("x" * 1000) for _ in range(10)])
        async with log.follow(TENANT_LOG, "g", max_bytes=2500) as subscription:
            batch = await subscription.next()
            assert batch is not None
            assert 1 <= len(batch.records) <= 4
        async with log.follow(TENANT_LOG, "h", max_bytes=1) as subscription:
            batch = await subscription.next()
            assert batch is not None
            assert len(batch.records) == 1

    async def test_a_waiting_follower_is_woken_by_an_append_from_elsewhere(self, opening: Open) -> None:
        here, there = await opening(), await opening()
        async with here.follow(TENANT_LOG, "g") as subscription:
            waiting = asyncio.create_task(subscription.next(30))
            await asyncio.sleep(0)
            await there.append([new("hello")])
            batch = await waiting
        assert batch is not None
        assert [record.value for record in batch.records] == [b"hello"]

    async def test_no_append_from_elsewhere_is_slept_through(self, opening: Open) -> None:
        here, there = await opening(), await opening()
        async with here.follow(TENANT_LOG, "g") as subscription:
            for n in range(60):
                waiting = asyncio.create_task(subscription.next(10))
                # Whatever else the log is asked meanwhile must not take the news away from the follower.
                await asyncio.gather(*(here.read(CONTROL) for _ in range(n % 5)))
                await there.append([new(str(n))])
                batch = await waiting
                assert batch is not None, f"append {n} was slept through"
                assert [record.value for record in batch.records] == [b"%d" % n]

    async def test_waiting_ends_with_none(self, log: EventLog) -> None:
        async with log.follow(TENANT_LOG, "g") as subscription:
            assert await subscription.next(0.01) is None

    async def test_a_group_goes_on_where_it_advanced(self, opening: Open) -> None:
        log = await opening()
        await log.append([new(str(n)) for n in range(6)])
        async with log.follow(TENANT_LOG, "g", max_records=2) as subscription:
            first = await subscription.next()
            assert first is not None
            await subscription.advance(first)
            await subscription.next()  # handed out, but not advanced: it comes again
        await log.close()
        again = await opening()
        async with again.follow(TENANT_LOG, "g") as subscription:
            assert await take(subscription, 4) == ["2", "3", "4", "5"]

    async def test_groups_have_places_of_their_own(self, log: EventLog) -> None:
        await log.append([new("a")])
        async with log.follow(TENANT_LOG, "g") as one, log.follow(TENANT_LOG, "h") as other:
            batch = await one.next()
            assert batch is not None
            await one.advance(batch)
            assert await take(other, 1) == ["a"]
        partition = await log.partition_of(TENANT_LOG, "acme")
        assert (await log.cursors(TENANT_LOG, "g"))[partition] == batch.end
        assert (await log.cursors(TENANT_LOG, "h")).get(partition, 0) == 0

    async def test_a_follower_without_a_group_reads_from_its_start_and_has_no_cursor(self, log: EventLog) -> None:
        records = await log.append([new(str(n), stream=CONTROL) for n in range(3)])
        async with log.follow(CONTROL, None) as subscription:
            assert await take(subscription, 3) == ["0", "1", "2"]
        start = {records[1].partition: records[1].offset}
        async with log.follow(CONTROL, None, start=start) as subscription:
            batch = await subscription.next()
            assert batch is not None
            assert batch.records[0].value == b"1"
            with pytest.raises(ValueError, match="without a group"):
                await subscription.advance(batch)

    async def test_advance_appends_its_outputs_with_the_cursor(self, opening: Open) -> None:
        log = await opening()
        await log.append([new("raw", key=None, stream=IDP_EVENTS)])
        async with log.follow(IDP_EVENTS, "router") as subscription:
            batch = await subscription.next()
            assert batch is not None
            outputs = await subscription.advance(batch, [new("segment"), new("letter", stream=DEAD_LETTERS)])
        assert [record.value for record in outputs] == [b"segment", b"letter"]
        await log.close()
        again = await opening()
        assert await self.values(again) == ["segment"]
        assert await self.values(again, stream=DEAD_LETTERS) == ["letter"]
        assert (await again.cursors(IDP_EVENTS, "router"))[batch.partition] == batch.end

    async def test_a_follower_reaches_the_end(self, log: EventLog) -> None:
        for n in range(5):
            await log.append([new(f"{n}-{key}", key=key, stream=IDP_EVENTS) for key in ("acme", "globex", "initech")])
        places: dict[int, int] = {}
        seen = 0
        count = 0
        async with log.follow(IDP_EVENTS, "g", max_records=2) as one, log.follow(IDP_EVENTS, None) as other:
            # The end is asked for again: what an append has written behind its records may come a moment after it has returned.
            while dict(await log.cursors(IDP_EVENTS, "g")) != dict(await log.ends(IDP_EVENTS)):
                batch = await one.next(30)
                assert batch is not None
                assert batch.start == (await log.cursors(IDP_EVENTS, "g"))[batch.partition]
                count += len(batch.records)
                await one.advance(batch)
            ends = {partition: end for partition, end in (await log.ends(IDP_EVENTS)).items() if end}
            while places != ends:
                batch = await other.next(30)
                assert batch is not None
                assert batch.start == places.get(batch.partition, 0)
                places[batch.partition] = batch.end
                seen += len(batch.records)
            assert count == seen == 15
            assert await one.next(0.3) is None
            assert await other.next(0.3) is None

    async def test_batches_may_be_in_hand_together_and_none_comes_twice(self, log: EventLog) -> None:
        await log.append([new(f"{n}", key=f"t{n}", stream=IDP_EVENTS) for n in range(40)])
        async with log.follow(IDP_EVENTS, "router", max_records=3) as subscription:
            batches = await held(subscription, 40)
            outputs = [[new(record.value.decode(), key=record.key) for record in batch.records] for batch in batches]
            by_partition: dict[int, list[int]] = {}
            for number, batch in enumerate(batches):
                by_partition.setdefault(batch.partition, []).append(number)

            async def advance(numbers: list[int]) -> None:
                for number in numbers:
                    await subscription.advance(batches[number], outputs[number])

            await asyncio.gather(*map(advance, by_partition.values()))
        copied = [(await self.values(log, key=f"t{n}")) for n in range(40)]
        assert copied == [[str(n)] for n in range(40)]

    async def test_many_large_records_are_one_append(self, log: EventLog) -> None:
        values = [bytes([n]) * 900_000 for n in range(12)]
        appended = await log.append([NewRecord(TENANT_LOG, value, f"t{n % 3}") for n, value in enumerate(values)])
        assert [record.value for record in appended] == values
        assert [record.value for record in await log.read(TENANT_LOG, key="t1")] == values[1::3]
        async with log.follow(TENANT_LOG, None, max_bytes=1_000_000) as subscription:
            batches = await held(subscription, 12)
        assert max(len(batch.records) for batch in batches) <= 2

    async def test_what_is_no_stream_is_refused(self, log: EventLog) -> None:
        with pytest.raises(ValueError, match="is not a stream"):
            await log.append([new("x", stream="other")])
        with pytest.raises(ValueError, match="is not a stream"):
            await log.ends("other")

    async def test_of_two_followers_with_the_same_batch_one_advances(self, opening: Open) -> None:
        here, there = await opening(), await opening()
        await here.append([new("raw", key=None, stream=IDP_EVENTS)])
        async with here.follow(IDP_EVENTS, "router") as one:
            mine = await one.next()
            assert mine is not None
            async with there.follow(IDP_EVENTS, "router") as other:
                theirs = await other.next(0.5)
                # An engine may give the partition to one follower only; then there is nothing to be overtaken by.
                if theirs is not None:
                    await other.advance(theirs, [new("theirs")])
                    with pytest.raises(Overtaken):
                        await one.advance(mine, [new("mine")])
                    await here.append([new("raw too", key=None, stream=IDP_EVENTS)])
                    following = await one.next()
                    assert following is not None
                    assert [record.value for record in following.records] == [b"raw too"]
                    await one.advance(following, [new("mine")])
                    assert await self.values(here) == ["theirs", "mine"]

    async def test_two_writing_processes_lose_nothing(self, log: EventLog, writers: Writers) -> None:
        await asyncio.gather(writers.append("one", 200), writers.append("two", 200))
        values = await self.values(log)
        assert sorted(values) == sorted(f"{name}-{n}" for name in ("one", "two") for n in range(200))
        for name in ("one", "two"):
            assert [value for value in values if value.startswith(name)] == [f"{name}-{n}" for n in range(200)]

    async def test_two_deciding_processes_never_decide_on_old_news(self, log: EventLog, writers: Writers) -> None:
        await asyncio.gather(writers.count("one", 50), writers.count("two", 50))
        assert await self.values(log, CONTROL) == [str(n) for n in range(100)]

    async def test_a_killed_writer_leaves_whole_appends_only(self, log: EventLog, writers: Writers) -> None:
        acknowledged = await writers.killed(after=30)
        values = await self.values(log)
        assert values[: len(acknowledged)] == acknowledged
        assert len(values) % 3 == 0, "an append of three records is atomic"


async def held(subscription: Subscription, count: int) -> list[Batch]:
    """The next batches with so many records, none of them advanced."""
    batches: list[Batch] = []
    while (missing := count - sum(len(batch.records) for batch in batches)) > 0:
        batch = await subscription.next(30)
        assert batch is not None, f"{missing} records are missing"
        batches.append(batch)
    return batches


async def take(subscription: Any, count: int) -> list[str]:
    values: list[str] = []
    while len(values) < count:
        batch = await subscription.next(30)
        assert batch is not None, f"got {values} only"
        values += [record.value.decode() for record in batch.records]
    return values
