"""What is written into an index is found whole, once, and what never can be is told."""

from __future__ import annotations

import msgspec

from streams.query.parser import parse
from streams.query.tree import Term
from streams.search_index import Entry, SearchIndex
from tests.contract.index_suite import ACME, ALL, IndexSuite, event, ids
from tests.contract.random_events import START, decoded


class Writing(IndexSuite):
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

    async def test_long_values_are_found_by_the_whole_value(self, index: SearchIndex) -> None:
        long = "x" * 100_000
        await self.fill(index, [event(1, user_name=long, message=long, idp={"a": long}), event(2, user_name="x")])
        for text in (f"user.name:{long[:8000]}", f"idp.a:{long[:8000]}", f"message:{long[:8000]}", "user.name:xxxx*"):
            assert ids(await index.search(ACME, parse(text, now=0))) == ["e1"]
        assert await index.count(ACME, Term("user.name", long)) == 1
