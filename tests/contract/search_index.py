"""What every `SearchIndex` keeps: one suite, subclassed once for each adapter."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import IndexMissing, QueryError
from streams.event import iso
from streams.query.evaluate import matches
from streams.query.parser import parse
from streams.query.tree import MatchAll, Query, Term
from streams.scope import TenantScope
from streams.search_index import MAX_PAGE_BYTES, Entry, Hit, Place, SearchIndex, Sort, Values
from tests.contract.random_events import START, decoded, entries, queries

ACME = TenantScope("acme")
GLOBEX = TenantScope("globex")
ALL = MatchAll()


def event(number: int, *, time: int | None = None, **more: Any) -> Entry:
    """An entry: the event e<number> at position <number>; `user_name="x"` sets `user.name`."""
    time = START + number if time is None else time
    document = {"@timestamp": iso(time), "event.id": f"e{number}", "idp": {}} | {
        name.replace("_", ".", 1): value for name, value in more.items()
    }
    return Entry(number, f"e{number}", time, msgspec.json.encode(document))


def ids(hits: Iterable[Hit]) -> list[str]:
    return [msgspec.json.decode(hit.document)["event.id"] for hit in hits]


def like_the_oracle(examples: int) -> Callable[..., Any]:
    """The test that an index answers as many random queries about random events as the brute force of `matches` does."""

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(batch=entries("acme"), asked=st.lists(queries, min_size=4, max_size=12), data=st.data())
    async def test(self: SearchIndexContract, index: SearchIndex, batch: list[Entry], asked: list[Query], data: st.DataObject) -> None:
        await index.drop(ACME)
        await self.fill(index, data.draw(st.permutations(batch)))
        events = [(entry, decoded(entry)) for entry in batch]
        for query in asked:
            right = [entry for entry, event in events if matches(query, event)]

            assert await index.count(ACME, query) == len(right)
            found = ids(await self.pages(index, query, "newest", data.draw(st.integers(1, 9))))
            assert found == [entry.event_id for entry in sorted(right, key=lambda entry: (-entry.time, -entry.position))]
            after, upto = sorted(data.draw(st.lists(st.sampled_from([entry.position for entry in batch]), min_size=2, max_size=2)))
            assert ids(await index.tail(ACME, query, after=after, upto=upto)) == [
                entry.event_id for entry in right if after < entry.position <= upto
            ]

    return test


class SearchIndexContract:
    """Subclasses give `index`: one without tenants."""

    @pytest.fixture
    def index(self) -> AsyncIterator[SearchIndex]:
        raise NotImplementedError

    async def fill(self, index: SearchIndex, batch: Sequence[Entry], scope: TenantScope = ACME) -> None:
        await index.prepare(scope)
        await index.write({scope: batch})
        await index.refresh(scope)

    async def pages(self, index: SearchIndex, query: Query, sort: Sort, limit: int, scope: TenantScope = ACME) -> list[Hit]:
        """All pages of a search, one behind the other."""
        found: list[Hit] = []
        page = await index.search(scope, query, sort=sort, limit=limit)
        while page:
            assert len(page) <= limit
            found += page
            page = await index.search(scope, query, sort=sort, limit=limit, after=Place(page[-1].time, page[-1].position))
        return found

    async def test_prepare_tells_whether_the_index_is_new(self, index: SearchIndex) -> None:
        assert await index.prepare(ACME)
        assert not await index.prepare(ACME)

    async def test_what_was_written_is_found_whole_with_its_position(self, index: SearchIndex) -> None:
        entry = event(7, user_name="alice", idp={"odd": 'ü"\n😀', "n": 1.50})
        await self.fill(index, [entry])

        [hit] = await index.search(ACME, Term("user.name", "alice"))

        assert (hit.position, hit.time) == (7, entry.time)
        assert msgspec.json.decode(hit.document) == decoded(entry)
        assert await index.get(ACME, "e7") == hit
        assert await index.get(ACME, "e8") is None

    async def test_the_first_write_of_an_id_wins(self, index: SearchIndex) -> None:
        await index.prepare(ACME)
        twice = [event(1, user_name="first"), event(2), Entry(9, "e1", START, event(1, user_name="second").document)]

        one = (await index.write({ACME: twice}))[ACME]
        await index.refresh(ACME)
        two = (await index.write({ACME: [event(2), event(3), Entry(11, "e1", START, event(1, user_name="third").document)]}))[ACME]
        await index.refresh(ACME)

        assert (one.indexed, one.duplicates, two.indexed, two.duplicates) == (2, 1, 1, 2)
        assert await index.count(ACME, ALL) == 3
        assert await index.count(ACME, Term("user.name", "first")) == 1

    async def test_a_document_that_cannot_be_indexed_is_rejected_alone(self, index: SearchIndex) -> None:
        await index.prepare(ACME)
        bad = [Entry(2, "e2", START, b'{"event.id":'), Entry(3, "e3", START, b"[1]")]

        written = (await index.write({ACME: [event(1), *bad, event(4)]}))[ACME]
        await index.refresh(ACME)

        assert [rejected.entry for rejected in written.rejected] == bad
        assert all(rejected.reason for rejected in written.rejected)
        assert (written.indexed, written.duplicates) == (2, 0)
        assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e1", "e4"]

    async def test_tenants_share_nothing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1, user_name="alice", tenant_id="globex")])
        await self.fill(index, [event(1, user_name="bob"), event(2, user_name="bob")], GLOBEX)

        assert await index.count(ACME, ALL) == 1
        assert await index.count(ACME, parse("NOT user.name:alice OR tenant.id:globex user.name:bob", now=0)) == 0
        assert await index.get(ACME, "e2") is None
        assert (await index.top_values(ACME, ALL, ["user.name"])).buckets["user.name"] == [("alice", 1)]
        assert await index.positions(ACME, [(0, 100)]) == 1
        await index.drop(GLOBEX)
        assert await index.count(ACME, ALL) == 1

    async def test_without_an_index_a_tenant_is_missing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1)])
        await index.drop(ACME)
        await index.drop(ACME)

        for call in (
            index.check(ACME),
            index.count(ACME, ALL),
            index.refresh(ACME),
            index.get(ACME, "e1"),
            index.search(ACME, ALL),
        ):
            with pytest.raises(IndexMissing):
                await call
        assert await index.prepare(ACME)
        assert await index.count(ACME, ALL) == 0

    async def test_checks_whether_a_tenant_has_an_index(self, index: SearchIndex) -> None:
        with pytest.raises(IndexMissing):
            await index.check(ACME)
        await index.prepare(ACME)
        await index.check(ACME)
        with pytest.raises(IndexMissing):
            await index.check(GLOBEX)

    async def test_a_tenant_without_an_index_defers_its_own_entries_only(self, index: SearchIndex) -> None:
        await index.prepare(GLOBEX)
        batch = [event(1), event(2)]

        written = await index.write({ACME: batch, GLOBEX: batch})
        alone = await index.write({ACME: batch})

        assert (written[GLOBEX].indexed, list(written[GLOBEX].deferred), written[GLOBEX].trouble) == (2, [], "")
        for deferred in (written[ACME], alone[ACME]):
            assert (deferred.indexed, deferred.duplicates, list(deferred.rejected)) == (0, 0, [])
            assert list(deferred.deferred) == batch
            assert "acme" in deferred.trouble
        await index.prepare(ACME)
        assert (await index.write({ACME: batch}))[ACME].indexed == 2

    async def test_pooled_tenants_share_nothing_that_can_be_seen(self, index: SearchIndex) -> None:
        assert await index.prepare(ACME, pooled=True)
        assert await index.prepare(GLOBEX, pooled=True)
        assert not await index.prepare(ACME, pooled=True)
        assert not await index.prepare(ACME)
        one = event(1, user_name="alice", tenant_id="globex")
        other = event(1, user_name="bob", tenant_id="acme")

        written = await index.write({ACME: [one], GLOBEX: [other, event(2)]})
        await index.refresh(ACME)
        await index.refresh(GLOBEX)

        assert {scope.tenant: part.indexed for scope, part in written.items()} == {"acme": 1, "globex": 2}
        assert ids(await index.search(ACME, ALL)) == ["e1"]
        assert await index.count(ACME, parse("NOT user.name:alice", now=0)) == 0
        found = await index.get(GLOBEX, "e1")
        assert found is not None
        assert msgspec.json.decode(found.document) == decoded(other)
        assert await index.get(ACME, "e2") is None
        assert await index.positions(ACME, [(0, 100)]) == 1
        await index.drop(GLOBEX)
        assert await index.count(ACME, ALL) == 1
        assert await index.prepare(GLOBEX, pooled=True)
        assert await index.count(GLOBEX, ALL) == 0

    @pytest.mark.parametrize("sort", ["newest", "oldest"])
    async def test_pages_through_equal_times_exactly(self, index: SearchIndex, sort: Sort) -> None:
        batch = [event(number, time=START + number // 70) for number in range(200)]
        await self.fill(index, batch[100:] + batch[:100])

        for limit in (1, 7, 60, 140, 1000):
            found = ids(await self.pages(index, ALL, sort, limit))
            expected = [f"e{number}" for number in range(200)]
            assert found == (expected if sort == "oldest" else expected[::-1]), limit

    async def test_a_page_of_large_events_ends_early_and_the_next_goes_on(self, index: SearchIndex) -> None:
        large = "x" * 1_000_000
        await self.fill(index, [event(number, message=large) for number in range(20)])

        page = await index.search(ACME, ALL, limit=100)
        assert len(page) < 20
        assert MAX_PAGE_BYTES <= sum(len(hit.document) for hit in page) < MAX_PAGE_BYTES + 1_100_000
        assert ids(await self.pages(index, ALL, "oldest", 100)) == [f"e{number}" for number in range(20)]
        assert ids(await index.tail(ACME, ALL, after=2, upto=19, limit=100))[:2] == ["e3", "e4"]

    async def test_tails_by_position(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number, time=START - number, user_name="ab"[number % 2]) for number in (5, 1, 4, 2, 3)])

        assert ids(await index.tail(ACME, ALL, after=-1, upto=4)) == ["e1", "e2", "e3", "e4"]
        assert ids(await index.tail(ACME, ALL, after=1, upto=9, limit=2)) == ["e2", "e3"]
        assert ids(await index.tail(ACME, Term("user.name", "a"), after=1, upto=9)) == ["e2", "e4"]
        assert await index.tail(ACME, ALL, after=5, upto=5) == []

    async def test_counts_values_exactly_and_in_order(self, index: SearchIndex) -> None:
        names = [f"user {number % 700:03d}" for number in range(1500)]
        await self.fill(index, [event(number, user_name=name) for number, name in enumerate(names)] + [event(9999)])
        expected = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))

        for size in (1, 10, 150, 1000):
            values = await index.top_values(ACME, ALL, ["user.name"], size=size)
            assert values.total == 1501
            assert list(values.buckets["user.name"]) == expected[:size]

    async def test_counts_tags_and_addresses(self, index: SearchIndex) -> None:
        await self.fill(
            index,
            [
                event(1, tags=["b", "a"], source_ip="::FFFF:10.0.0.1"),
                event(2, tags=["b"], source_ip="10.0.0.1"),
                event(3, source_ip="here"),
            ],
        )

        values = await index.top_values(ACME, ALL, ["tags", "source.ip"])
        assert {field: list(found) for field, found in values.buckets.items()} == {
            "tags": [("b", 2), ("a", 1)],
            "source.ip": [("10.0.0.1", 2)],
        }

    async def test_counts_many_values_of_several_fields_at_once(self, index: SearchIndex) -> None:
        addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(1200)]
        events = [
            event(number, time=START + number, source_ip=address, user_name="ab"[number % 2]) for number, address in enumerate(addresses)
        ]
        await self.fill(index, events)

        values = await index.top_values(ACME, ALL, ["source.ip", "user.name"], size=2)

        assert list(values.buckets["source.ip"]) == [(address, 1) for address in sorted(addresses)[:2]]
        assert list(values.buckets["user.name"]) == [("a", 600), ("b", 600)]
        assert (values.first, values.last, values.total) == (START, START + 1199, 1200)

    async def test_tells_of_the_times_of_what_it_counts(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number, time=START + time, user_name="ab"[number % 2]) for number, time in enumerate((7, 9, 1, 4))])

        values = await index.top_values(ACME, Term("user.name", "a"), [])

        assert (values.total, values.first, values.last) == (2, START + 1, START + 7)
        assert await index.top_values(ACME, Term("user.name", "c"), ["user.name"]) == Values(0, 0, 0, {"user.name": []})

    async def test_refuses_to_count_what_is_not_countable(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1)])
        for field in ("event.id", "message", "idp.a", "nothing"):
            with pytest.raises(QueryError):
                await index.top_values(ACME, ALL, [field])

    @pytest.mark.parametrize(
        ("interval", "offset"), [(1, 0), (7, 3), (1000, 0), (60_000, 59_999), (86_400_000, -3_600_000), (604_800_000, 345_600_000)]
    )
    async def test_histograms_are_exact_to_the_millisecond(self, index: SearchIndex, interval: int, offset: int) -> None:
        times = [START + step for step in (0, 0, 1, 6, 7, 8, 999, 1000, 59_999, 60_000, 86_399_999, 86_400_000, -1)]
        await self.fill(index, [event(number, time=time) for number, time in enumerate(times)])

        answer = await index.histogram(ACME, ALL, interval=interval, offset=offset)

        expected = Counter((time - offset) // interval * interval + offset for time in times)
        assert answer.total == len(times)
        assert list(answer.buckets) == sorted(expected.items())
        assert answer.failures == {}

    async def test_histograms_tell_failures_apart(self, index: SearchIndex) -> None:
        outcomes = ["success", "failure", "unknown", "failure", "success", "failure"]
        await self.fill(index, [event(number, time=START + number, event_outcome=outcome) for number, outcome in enumerate(outcomes)])

        answer = await index.histogram(ACME, ALL, interval=2, offset=START)

        assert answer.total == 6
        assert list(answer.buckets) == [(START, 2), (START + 2, 2), (START + 4, 2)]
        assert answer.failures == {START: 1, START + 2: 1, START + 4: 1}

    async def test_refuses_a_histogram_of_too_many_intervals(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number) for number in range(10_001)])
        with pytest.raises(QueryError):
            await index.histogram(ACME, ALL, interval=1)
        assert (await index.histogram(ACME, ALL, interval=2)).total == 10_001

    async def test_counts_positions_once(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number, time=START) for number in (1, 2, 3, 10, 11, 1 << 50)])
        assert await index.positions(ACME, [(1, 3), (2, 10), (5, 4), (1 << 50, (1 << 50) + 1)]) == 5
        assert await index.positions(ACME, []) == 0

    async def test_tells_how_large_each_tenant_is(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number) for number in range(3)])
        await self.fill(index, [event(number) for number in range(5)], GLOBEX)
        sizes = await index.sizes()
        assert (sizes["acme"].documents, sizes["globex"].documents) == (3, 5)
        assert all(size.bytes is None or size.bytes > 0 for size in sizes.values())
        async with index.rebuild(ACME) as generation:
            await generation.write([event(1)])
            assert (await index.sizes())["acme"].documents == 3, "the old one, which is in use"
        await index.refresh(ACME)
        assert (await index.sizes())["acme"].documents == 1
        await index.drop(GLOBEX)
        assert "globex" not in await index.sizes()

    async def test_a_rebuild_swaps_at_its_end_while_searches_go_on(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1), event(2)])
        await index.prepare(GLOBEX)

        async with index.rebuild(ACME) as generation:
            assert (await generation.write([event(3), event(3)])).duplicates == 1
            await generation.write([event(4), event(3)])
            assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e1", "e2"]
            both = await index.write({ACME: [event(5)], GLOBEX: [event(6)]})
            assert (both[ACME].deferred, both[GLOBEX].indexed) == ((event(5),), 1), "nobody else waits"
            assert both[ACME].trouble
        await index.write({ACME: [event(5)]})
        await index.refresh(ACME)

        assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e3", "e4", "e5"]
        assert not await index.prepare(ACME)

    async def test_a_rebuild_of_what_is_missing_makes_it_at_its_end(self, index: SearchIndex) -> None:
        await index.drop(ACME)
        async with index.rebuild(ACME) as generation:
            await generation.write([event(1)])
            with pytest.raises(IndexMissing):
                await index.refresh(ACME)
        assert await index.count(ACME, ALL) == 1

    async def test_a_rebuild_that_fails_changes_nothing(self, index: SearchIndex) -> None:
        await self.fill(index, [event(1)])

        async def fail() -> None:
            async with index.rebuild(ACME) as generation:
                await generation.write([event(2)])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        await self.fill(index, [event(3)])
        assert ids(await index.search(ACME, ALL, sort="oldest")) == ["e1", "e3"]

    async def test_searches_under_way_survive_a_rebuild(self, index: SearchIndex) -> None:
        await self.fill(index, [event(number) for number in range(300)])
        searches = [asyncio.create_task(index.search(ACME, ALL, limit=300)) for _ in range(20)]
        async with index.rebuild(ACME) as generation:
            await generation.write([event(number) for number in range(300)])
        assert {len(found) for found in await asyncio.gather(*searches)} == {300}

    async def test_long_values_are_found_by_the_whole_value(self, index: SearchIndex) -> None:
        long = "x" * 100_000
        await self.fill(index, [event(1, user_name=long, message=long, idp={"a": long}), event(2, user_name="x")])
        for text in (f"user.name:{long[:8000]}", f"idp.a:{long[:8000]}", f"message:{long[:8000]}", "user.name:xxxx*"):
            assert ids(await index.search(ACME, parse(text, now=0))) == ["e1"]
        assert await index.count(ACME, Term("user.name", long)) == 1

    test_answers_like_the_oracle = like_the_oracle(60)
