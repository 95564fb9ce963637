"""What a node writes down of its counts: in time, all of it, and none of it twice, whatever the log answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from services.usage import sums
from streams.errors import AppendInDoubt, LogUnavailable
from streams.event_log import TENANT_LOG, EventLog, NewRecord, Record
from tests.platforms import Site, site
from tests.services.counting import ACME, Node, kid_of, noted


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def test_what_is_written_down_but_not_indexed_yet_is_neither_missed_nor_doubled(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        await here.settled()
    async with site(tmp_path / "data", process=False) as here:
        node = Node(here)
        for number in range(1, 4):
            node.sign(10)
            assert (await node.sums().of(ACME, kid_of(here))).signatures == 10 * number
            await node.journal.write()
            assert (await node.sums().of(ACME, kid_of(here))).signatures == min(10 * number, 20), "two periods are waited for the index"


async def test_whoever_sums_up_while_it_is_written_down_gets_the_same(acme: Site) -> None:
    node = Node(acme)
    node.sign(7)
    seen: list[int] = []

    async def look(over: asyncio.Event) -> None:
        while not over.is_set():
            seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)
            summed.set()

    over, summed = asyncio.Event(), asyncio.Event()
    looking = asyncio.create_task(look(over))
    for _ in range(5):
        await node.journal.write()
        await acme.settled()
        summed.clear()
        await summed.wait()  # no sum takes two periods, after which the index is not waited for any more
    over.set()
    await looking
    assert set(seen) == {7}


class Failing:
    """A log that can't be written for a while."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.away = True

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        if self.away:
            raise LogUnavailable("away")
        return await self._log.append(records)


async def test_what_can_not_be_written_down_now_is_kept(acme: Site) -> None:
    log = Failing(acme.platform.log)
    node = Node(acme, log)  # type: ignore[arg-type]
    node.sign(3, client_id="web")
    await node.journal.write()
    node.sign(4, client_id="app")
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 7
    log.away = False
    await node.journal.write()
    await node.journal.write()
    await acme.settled()
    [note] = await noted(acme)
    assert note.usage.clients == {"web": 3, "app": 4}
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 7


class Late:
    """A log that answers late: what was appended can be read long before."""

    def __init__(self, log: EventLog, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._log = log
        self._meanwhile = meanwhile

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        appended = await self._log.append(records)
        await self._meanwhile()
        return appended


async def test_what_is_found_before_its_append_was_answered_counts_once(acme: Site) -> None:
    seen: list[int] = []

    async def look() -> None:
        await acme.settled()
        seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)

    node = Node(acme, Late(acme.platform.log, look))  # type: ignore[arg-type]
    node.sign(7)
    await node.journal.write()
    await look()
    assert seen == [7, 7]


class Doubtful:
    """A log that does not answer whether it has what was appended; it has it, or not."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.has: bool | None = None

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        appended = await self._log.append(records) if self.has is not False else []
        if self.has is None:
            return appended
        raise AppendInDoubt("not answered")


@pytest.mark.parametrize("has", [True, False])
async def test_a_note_in_doubt_counts_once(acme: Site, has: bool) -> None:
    log = Doubtful(acme.platform.log)
    node, other = Node(acme, log), Node(acme)  # type: ignore[arg-type]
    node.sign(3, client_id="web")
    log.has = has
    await node.journal.write()
    assert (await node.sums().of(ACME, kid_of(acme))).signatures in {0, 3}, "too little, if that can't be told, but never too much"
    node.sign(4, client_id="app")
    assert (await node.sums().of(ACME, kid_of(acme))).signatures in {4, 7}
    await node.journal.write()
    log.has = None
    await node.journal.write()
    await acme.settled()
    for one in (node, other):
        found = await one.sums().of(ACME, kid_of(acme))
        assert (found.signatures, found.clients) == (7, {"web": 3, "app": 4})


async def test_a_note_in_doubt_that_another_node_has_summed_up_counts_once(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MANY", 1)
    log = Doubtful(acme.platform.log)
    node, other = Node(acme, log), Node(acme)  # type: ignore[arg-type]
    node.sign(3)
    log.has = True
    await node.journal.write()
    await acme.settled()
    assert (await other.sums().of(ACME, kid_of(acme))).signatures == 3, "which is written down as the sum"
    await acme.settled()
    seen = [(await node.sums().of(ACME, kid_of(acme))).signatures]
    log.has = None
    await node.journal.write()
    seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)
    await acme.settled()
    seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)
    assert seen == [3, 3, 3]


async def test_a_key_that_signs_no_more_is_written_down_at_once(acme: Site) -> None:
    node, kid = Node(acme), kid_of(acme)
    async with node.running():
        node.sign(5)
        await acme.operator.post(f"/v1/tenants/acme/keys/{kid}/compromise", json={"reason": "a test"})
        async with acme.platform.log.follow(TENANT_LOG, None) as waking:
            while not await noted(acme):
                await waking.next(0.05)
        assert [(note.kid, note.usage.signatures) for note in await noted(acme)] == [(kid, 5)]


async def test_of_a_deleted_tenant_nothing_is_written_down(acme: Site) -> None:
    node = Node(acme)
    node.sign()
    await acme.operator.delete("/v1/tenants/acme")
    await node.journal.write()
    assert await noted(acme) == []
