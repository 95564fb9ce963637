"""How many live tails there may be, and how little each costs that has nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest

from services.api import streamed
from services.api.app import application
from services.events import live_tails
from services.events.cursor import Seal
from services.events.live_tails import LiveTails
from services.events.search import Question, Search
from services.events.slots import Slots
from services.events.tail import Tail
from streams.scope import TenantScope
from streams.search_index import Hit, SearchIndex
from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.processes import OWN
from tests.served import listening
from tests.services.live_tails.tails import send, status

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_each_tenant_has_so_many_streams_and_a_closed_one_makes_room(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme.platform.live_tails, "_slots", Slots("live tails", per_tenant=2, in_all=3))
    async with listening(client):
        async with listening(client):
            refused = await client.get("/v1/tenants/acme/events/tail", headers={"Accept": "text/event-stream"})
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
            async with listening(client, "globex"):
                for tenant in ("acme", "globex"):  # in all, three
                    assert await status(client, tenant=tenant) == (429, "too-many")
        assert (await client.get("/v1/tenants/acme/events/tail")).status_code == 200, "pages are not streams"
        async with asyncio.timeout(PATIENCE):
            while (await status(client))[0] == 429:  # until the service has noticed that the other one has gone
                pass


async def test_a_refused_question_keeps_no_slot(acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acme.platform.live_tails, "_slots", Slots("live tails", per_tenant=1, in_all=1))
    for _ in range(3):
        assert await status(client, q="user.nam:x") == (400, "invalid-query")
    assert await status(client, q=OWN) == (200, "")


def asgi(here: Site, path: str) -> dict[str, Any]:
    """A request for a stream, as a server hands it to the application."""
    headers = [(b"host", b"test"), (b"authorization", here.operator.headers["Authorization"].encode()), (b"accept", b"text/event-stream")]
    common = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    return {**common, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers, "client": None}


async def test_a_client_that_takes_nothing_is_read_nothing_for_and_cut_off(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "STALLED_SECONDS", 0.3)
    for start in range(0, 2_000, 500):
        await send(acme, *(f"e{number}" for number in range(start, start + 500)))
    await acme.settled()
    tail, reads = acme.platform.index.tail, 0

    async def counted(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        nonlocal reads
        reads += 1
        return await tail(*args, **kwargs)

    monkeypatch.setattr(acme.platform.index, "tail", counted)
    sent: list[dict[str, Any]] = []
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await never.wait()
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        sent.append(message)
        if message.get("body", b"").count(b"data:"):
            await never.wait()  # as a server does while the client's window is closed

    await application(acme.platform)(asgi(acme, "/v1/tenants/acme/events/tail"), receive, take)
    assert reads == 1, "one page, and nothing more while it is not taken"
    assert sent[-1]["more_body"], "it ends without the last part, which tells the client that something is missing"
    assert acme.platform.live_tails._slots.taken == 0


class Elsewhere:
    """A log that other tenants' events move on, by one position whenever it is asked; of this tenant there is one event."""

    def __init__(self, ends: Sequence[int], own: int) -> None:
        self._ends = iter(ends)
        self._own = own
        self.tails = LiveTails(cast("Search", self))

    async def complete_up_to(self, _: TenantScope) -> int:
        if (end := next(self._ends, None)) is None:
            self.tails.close()
            return 0
        return end

    async def tail(self, *_: object, after: int, upto: int, **__: object) -> Sequence[Hit]:
        return [Hit(self._own, 0, b"{}")] if after < self._own <= upto else []


async def test_a_tail_that_finds_nothing_looks_less_often_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tails, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(live_tails, "_QUIET_SECONDS", 0.008)
    log = Elsewhere([1, 2, 3, 4, 5, 6, 7, 7, 8], own=6)
    pauses: list[float] = []

    async def rest(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(log.tails, "_rest", rest)
    scope = TenantScope("acme")
    tail = Tail(cast("SearchIndex", log), scope, Question().query(0), now=0, place=0, seal=Seal(bytes(32), scope, ()))
    async with asyncio.timeout(PATIENCE):
        news = [one async for one in log.tails.follow(tail, lambda: None)]
    assert [[hit.position for hit in one.hits] for one in news] == [[], [6]]
    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.008, 0.001, 0.001], "none behind what was found, or while the log stands still"


class Answering:
    """A log in which nothing happens, and which answers all who ask at once, the ones who asked first before the others."""

    def __init__(self) -> None:
        self.tails = LiveTails(cast("Search", self))
        self.asked = asyncio.Queue[None]()
        self.answering = asyncio.Event()

    async def complete_up_to(self, _: TenantScope) -> int:
        self.asked.put_nowait(None)
        await self.answering.wait()
        return 0


async def test_whoever_comes_just_when_the_others_are_answered_waits_for_the_next_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would go round and round with what was answered, and nobody else would get a turn."""
    monkeypatch.setattr(live_tails, "_POLL_SECONDS", 0.0)
    log, scope, looks = Answering(), TenantScope("acme"), 0

    def check() -> None:
        nonlocal looks
        looks += 1
        assert looks < 100, "it waits for nothing"

    async def first() -> None:
        await log.tails._complete_up_to(scope, wait=True)

    async def second() -> None:
        tail = Tail(cast("SearchIndex", log), scope, Question().query(0), now=0, place=0, seal=Seal(bytes(32), scope, ()))
        async for _ in log.tails.follow(tail, check):
            pass

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(first())
        await log.asked.get()  # the question that is shared
        group.create_task(second())
        await log.asked.get()  # the first one of a new connection, which is its own
        log.answering.set()  # both go on in the same turn of the event loop, in this order
        await log.asked.get()
        log.tails.close()
