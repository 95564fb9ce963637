"""Questions beyond what OpenSearch answers are refused as questions, not as an engine in trouble."""

from __future__ import annotations

import pytest

from streams.errors import QueryError
from streams.query.parser import parse
from streams.query.tree import Not, Or, Prefix, Term, Words
from tests.contract.index_suite import ACME, ALL, event, ids
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import on, pooled_beside


async def test_too_many_buckets(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        await here.index.write({ACME: [event(number) for number in range(66_000)]})
        await here.index.refresh(ACME)
        with pytest.raises(QueryError, match="intervals"):
            await here.index.histogram(ACME, ALL, interval=1)


async def test_too_many_clauses(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        with pytest.raises(QueryError, match="clauses"):
            await here.index.count(ACME, Or(tuple(Prefix("user.name", f"u{number}") for number in range(1100))))


async def test_long_prefixes_of_too_many_events(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        long = "x" * 2000
        await here.index.write({ACME: [event(number, user_name=f"{long}{number}") for number in range(1001)]})
        await here.index.refresh(ACME)
        with pytest.raises(QueryError, match="begin like"):
            await here.index.count(ACME, Prefix("user.name", long))
        with pytest.raises(QueryError, match="path"):
            await here.index.count(ACME, Prefix(f"idp.{long}", ""))
        assert await here.index.count(ACME, Prefix("user.name", "x" * 100)) == 1001


async def test_another_tenants_words_hide_none(opensearch: OpenSearch) -> None:
    planted = [
        event(number, user_name="user", message=" ".join(f"user mal{number}x{word}" for word in range(170))) for number in range(100)
    ]
    async with on(opensearch, options="pools=2") as here:
        await here.index.prepare(ACME, pooled=True)
        globex = await pooled_beside(here, ACME)
        await here.index.write({globex: planted})
        await here.index.refresh(globex)
        await here.index.write({ACME: [event(1, user_name="user@malory"), event(2, user_name="user", message="malory")]})
        await here.index.refresh(ACME)

        for query in (parse("user@mal*", now=0), Words(None, ("user", "mal"), prefix=True)):
            assert ids(await here.index.search(ACME, query)) == ["e1"]
        assert await here.index.count(ACME, Not(Words(None, ("user", "mal"), prefix=True))) == 1
        assert await here.index.count(ACME, Words("message", ("user", "mal"), prefix=True)) == 0
        assert await here.index.count(globex, parse("user@mal99x16*", now=0)) == 1
        with pytest.raises(QueryError, match="too many different words"):
            await here.index.count(globex, parse("user@mal*", now=0))


async def test_words_that_few_of_many_events_have(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        names = [f"a user mal{'a' if number < 3000 else number % 700}" for number in range(5000)]
        await here.index.write({ACME: [event(number, user_name=name) for number, name in enumerate(names)]})
        await here.index.refresh(ACME)
        assert await here.index.count(ACME, parse("user@mal*", now=0)) == 5000
        assert await here.index.count(ACME, parse("user@mal6*", now=0)) == sum(name.startswith("a user mal6") for name in names)
        with pytest.raises(QueryError, match="too many clauses"):
            await here.index.count(ACME, parse("user@mal* OR a_user@mal*", now=0))


async def test_words_on_a_field_of_whole_values_and_the_other_way_round(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        for query in (Words("user.name", ("a",)), Term("message", "a"), Prefix("message", "a")):
            with pytest.raises(QueryError):
                await here.index.count(ACME, query)


async def test_pages_longer_than_opensearch_answers_at_once(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        await here.index.write({ACME: [event(number) for number in range(10_500)]})
        await here.index.refresh(ACME)
        found = await here.index.search(ACME, ALL, sort="oldest", limit=20_000)
        assert ids(found) == [f"e{number}" for number in range(10_500)]
        assert await here.index.positions(ACME, [(number, number) for number in range(0, 10_500, 7)]) == 1500
