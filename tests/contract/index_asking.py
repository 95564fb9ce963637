"""What an index answers: pages, tails, counts and histograms; and on random questions, what the brute force answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import QueryError
from streams.query.evaluate import matches
from streams.query.tree import Query, Term
from streams.search_index import MAX_PAGE_BYTES, Entry, SearchIndex, Sort, Values
from tests.contract.index_suite import ACME, ALL, IndexSuite, event, ids
from tests.contract.random_events import START, decoded, entries, queries


def like_the_oracle(examples: int) -> Callable[..., Any]:
    """The test that an index answers as many random queries about random events as the brute force of `matches` does."""

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(batch=entries("acme"), asked=st.lists(queries, min_size=4, max_size=12), data=st.data())
    async def test(self: IndexSuite, index: SearchIndex, batch: list[Entry], asked: list[Query], data: st.DataObject) -> None:
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


class Asking(IndexSuite):
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
        await self.fill(index, [event(number, source_ip=address, user_name="ab"[number % 2]) for number, address in enumerate(addresses)])

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

    test_answers_like_the_oracle = like_the_oracle(60)
