"""Live tails: server-sent events that lose nothing and repeat nothing, whatever happens to the connection and the index."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

import httpx
import pytest

from services.api import event_tail, streamed
from services.api.app import application
from services.errors import Unauthenticated
from services.events import live_tails, search
from services.events.cursor import Seal
from services.events.live_tails import LiveTails
from services.events.search import Question, Search
from services.events.slots import Slots
from services.events.tail import Tail
from streams.errors import ControlError, IndexUnavailable, QueryError
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Entry, Hit, SearchIndex, Written
from tests.platforms import Site
from tests.processes import NDJSON, OWN, PATIENCE
from tests.served import listening, served

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def okta(identifier: str, **more: Any) -> dict[str, Any]:
    return {"uuid": identifier, "published": "2026-11-23T10:00:00Z", "eventType": "user.session.start", **more}


async def send(here: Site, *identifiers: str, tenant: str = "acme") -> None:
    body = b"\n".join(json.dumps(okta(identifier)).encode() for identifier in identifiers)
    answer = await here.operator.post(f"/v1/tenants/{tenant}/events?source=okta", content=body, headers=NDJSON)
    assert answer.status_code == 202, answer.text


async def exported(here: Site, q: str = OWN) -> list[str]:
    answer = await here.operator.get("/v1/tenants/acme/events/export", params={"q": q})
    return [json.loads(line)["event.id"] for line in answer.text.split("\n") if line]


async def status(client: httpx.AsyncClient, last: str | None = None, tenant: str = "acme", **params: str) -> tuple[int, str]:
    """The status of a live tail that is not listened to, and its problem if it does not begin."""
    try:
        async with listening(client, tenant, last=last, **params):
            return 200, ""
    except httpx.HTTPStatusError as error:
        refused = error.response
    kind = str(refused.json()["type"]).rpartition("/")[2] if refused.headers["content-type"] == "application/problem+json" else "no problem"
    return refused.status_code, kind


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex")
    return here


@pytest.fixture
async def client(acme: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with served(acme.platform) as url, httpx.AsyncClient(base_url=url, headers=acme.operator.headers, timeout=PATIENCE) as found:
        yield found


async def test_events_come_as_they_arrive(acme: Site, client: httpx.AsyncClient) -> None:
    await send(acme, "before")
    await acme.settled()
    async with listening(client, q=OWN) as stream:
        assert (await stream.event())["event.id"] == "before", "an empty `after` is the beginning"
        for number in range(5):
            await send(acme, f"e{number}")
            event = await stream.event()
            assert event["event.id"] == f"e{number}"
    [found] = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.id:e4"})).json()["events"]
    assert event == found, "the document that a search finds"


async def test_a_tail_from_now_on_misses_nothing_from_its_first_id_on(acme: Site, client: httpx.AsyncClient) -> None:
    await send(acme, "before")
    await acme.settled()
    async with listening(client, q=OWN, after="latest") as stream:
        assert set(await stream.frame()) == {"id", "retry"}
    await send(acme, "while nobody listened")
    async with listening(client, q=OWN, after="latest", last=stream.id) as stream:
        assert (await stream.event())["event.id"] == "while nobody listened", "the header goes before the parameter, which stays in the URL"


async def test_a_page_goes_on_as_a_stream_and_a_stream_as_a_page(acme: Site, client: httpx.AsyncClient) -> None:
    await send(acme, *(f"e{number}" for number in range(6)))
    await acme.settled()
    page = (await client.get("/v1/tenants/acme/events/tail", params={"q": OWN, "limit": 2})).json()
    async with listening(client, q=OWN, after=page["next"]) as stream:
        assert [(await stream.event())["event.id"] for _ in range(2)] == ["e2", "e3"]
    assert stream.id
    page = (await client.get("/v1/tenants/acme/events/tail", params={"q": OWN, "after": stream.id})).json()
    assert [event["event.id"] for event in page["events"]] == ["e4", "e5"]


class Faults:
    """An index that fails at first and now and then, in all that a tail depends on; what it does, it does for real."""

    def __init__(self, here: Site, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self._chance = random.Random(seed)
        self.met: set[str] = set()
        index = here.platform.index
        tail, refresh, write = index.tail, index.refresh, index.write

        async def failing_tail(scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
            self._fail("tail", 0.2)
            return await tail(scope, query, after=after, upto=upto, limit=limit)

        async def failing_refresh(scope: TenantScope) -> None:
            self._fail("refresh", 0.1)
            await refresh(scope)

        async def failing_write(entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
            if (
                "deferred" not in self.met or self._chance.random() < 0.1
            ):  # only a part of what it is given: the rest must be found in its place
                self.met.add("deferred")
                half = {scope: part[::2] for scope, part in entries.items()}
                done = await write(half)
                return {
                    scope: Written(done[scope].indexed, done[scope].duplicates, deferred=tuple(part), trouble="a test")
                    for scope, part in entries.items()
                }
            self._fail("write", 0.1)
            return await write(entries)

        for method in (failing_tail, failing_refresh, failing_write):
            monkeypatch.setattr(index, method.__name__.removeprefix("failing_"), method)

    def _fail(self, what: str, share: float) -> None:
        if what not in self.met or self._chance.random() < share:
            self.met.add(what)
            raise IndexUnavailable(f"a test lets {what} fail")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
async def test_fifty_connections_get_every_event_once_in_order(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    connections, batch = 50, 40
    chance = random.Random(seed)
    faults = Faults(acme, monkeypatch, seed)
    seen: list[str] = []
    sent = 0
    more = asyncio.Event()

    async def ingest() -> None:
        nonlocal sent
        for number in range(connections):
            # Each connection meets events on their way: the next ones are sent when it has begun, and nobody waits for them.
            await more.wait()
            more.clear()
            sent += batch
            await send(acme, *(f"{number}-{one}" for one in range(batch)))

    async def read(last: str | None, most: int) -> str | None:
        """Reads so many bytes of a connection, and breaks it there: within a frame, as it happens. Only whole frames count."""
        text, taken = b"", 0
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last is not None else {})}
        async with client.stream("GET", "/v1/tenants/acme/events/tail", params={"q": OWN}, headers=headers) as answer:
            if answer.status_code != 200:
                return last
            more.set()
            async for part in answer.aiter_raw():
                text += part[: most - taken]
                taken += len(part)
                *frames, text = text.split(b"\n\n")
                for frame in frames:
                    fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
                    if fields.get(b"event") == b"problem":
                        return last
                    if b"data" in fields:
                        seen.append(json.loads(fields[b"data"])["event.id"])
                    last = fields[b"id"].decode()
                if taken >= most:
                    return last
                if len(seen) == connections * batch:
                    return last
                if len(seen) == sent:
                    more.set()  # else it would wait for more, and the sender for the next connection
        raise AssertionError("the service ended the stream")

    sending = asyncio.create_task(ingest())
    last: str | None = None
    count = 0
    async with asyncio.timeout(3 * PATIENCE):
        while len(seen) < connections * batch:
            more.set()
            last = await read(last, chance.randrange(200, 30_000))
            count += 1
        await sending
    assert count >= connections
    assert len(faults.met) >= 3, "the index has failed"
    monkeypatch.undo()
    await acme.settled()
    assert seen == await exported(acme), "once each, in the order of the log"
    assert sorted(seen) == sorted(f"{number}-{one}" for number in range(connections) for one in range(batch))


async def test_an_index_that_is_away_is_told_and_waited_for(acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    await send(acme, "e1")
    await acme.settled()

    async def away(*_: Any, **__: Any) -> Any:
        raise IndexUnavailable("a test has taken it away")

    with monkeypatch.context() as patched:
        patched.setattr(acme.platform.index, "tail", away)
        async with listening(client, q=OWN) as stream:
            problem = await stream.problem()
            assert (problem["status"], problem["detail"]) == (503, "a test has taken it away")
            patched.undo()
            assert (await stream.event())["event.id"] == "e1"


async def test_a_silent_stream_beats_and_moves_on_over_what_it_does_not_find(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tail, "HEARTBEAT_SECONDS", 0.05)
    async with listening(client, q="user.name:nobody", after="latest") as stream:
        first = (await stream.frame())["id"]
        await send(acme, "e1")
        while (beat := await stream.frame())["id"] == first:
            assert beat[""] == "heartbeat"
        assert "data" not in beat


async def test_a_stream_that_waits_keeps_nothing_of_what_it_has_sent(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tail, "HEARTBEAT_SECONDS", 0.05)
    tail = acme.platform.index.tail
    pages: list[weakref.ref[Kept]] = []

    class Kept(list[Hit]):
        """A page that can be seen to be gone."""

    async def watched(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        if not (hits := await tail(*args, **kwargs)):
            return hits
        page = Kept(hits)
        pages.append(weakref.ref(page))
        return page

    monkeypatch.setattr(acme.platform.index, "tail", watched)
    await send(acme, "before")
    await acme.settled()
    async with listening(client, q=OWN) as stream:
        for expected in ("before", "later"):
            assert (await stream.event())["event.id"] == expected
            while (await stream.frame()).get("") != "heartbeat":
                pass
            gc.collect()
            assert [page() for page in pages] == [None] * len(pages), "the first page and those after it are held in different places"
            await send(acme, "later")
    assert len(pages) >= 2


async def test_a_wrong_question_is_answered_before_the_stream_begins(acme: Site, client: httpx.AsyncClient) -> None:
    assert await status(client, q="user.nam:x") == (400, "invalid-query")
    assert await status(client, q=" OR ".join(f"user.name:u{n}*" for n in range(40))) == (400, "invalid-query")
    assert await status(client, limit="5") == (400, "invalid")
    assert await status(client, qq="x") == (400, "invalid")


async def test_only_the_own_id_of_the_same_question_goes_on(acme: Site, client: httpx.AsyncClient) -> None:
    async with listening(client, q=OWN) as stream:
        own = (await stream.frame())["id"]
    async with listening(client, "globex", q=OWN) as stream:
        theirs = (await stream.frame())["id"]
    assert await status(client, last=own, q=OWN) == (200, "")
    flipped = ("B" if own[0] == "A" else "A") + own[1:]
    wrong = (theirs, flipped, own[:-1], own + "A", "A" * len(own), "no id", "0" * 17, "../../globex", "é", "data: {}", "-1")
    for last in wrong:
        assert await status(client, last=last, q=OWN) == (400, "invalid-cursor"), last
    assert await status(client, last=own, q="") == (400, "invalid-cursor"), "going on is not audited, so it is the same question"
    search = (await client.get("/v1/tenants/acme/events", params={"q": OWN, "limit": "1"})).json()["next"]
    assert await status(client, last=search or "x" * 40, q=OWN) == (400, "invalid-cursor")


async def test_another_tenants_stream_does_not_exist(acme: Site, client: httpx.AsyncClient) -> None:
    async with await acme.token("globex", "events:read") as theirs, await acme.token("acme", "keys:read") as keys:
        for headers, expected in ((theirs.headers, 404), (keys.headers, 403), (httpx.Headers(), 401)):
            async with httpx.AsyncClient(base_url=client.base_url, headers=headers) as stranger:
                assert (await status(stranger))[0] == expected


async def test_what_an_event_says_stays_within_its_frame(acme: Site, client: httpx.AsyncClient) -> None:
    hostile = 'x\r\n\r\nid: forged\r\nevent: problem\r\ndata: {"status": 401}\r\n\r\n\u2028\u0085\x1b[2J'
    event = okta("hostile\n\nid: forged", displayMessage=hostile, actor={"alternateId": hostile})
    body = json.dumps([event], indent=2).encode()
    headers = {"Content-Type": "application/json"}
    assert (await acme.operator.post("/v1/tenants/acme/events?source=okta", content=body, headers=headers)).status_code == 202
    async with listening(client, q=OWN) as stream:
        found = await stream.event()
    assert found["event.id"] == event["uuid"]
    assert found["user.name"] == hostile
    assert "forged" not in (stream.id or "")


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


async def test_a_stream_ends_with_its_token_and_its_tenant(acme: Site, client: httpx.AsyncClient) -> None:
    reader = await acme.token("acme", "events:read")
    async with reader, httpx.AsyncClient(base_url=client.base_url, headers=reader.headers) as holder:
        async with listening(holder, q=OWN) as stream:
            await stream.frame()
            [token] = (await acme.operator.get("/v1/tenants/acme/tokens")).json()["tokens"]
            assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{token['id']}")).status_code in {200, 204}
            assert (await stream.problem())["status"] == 401
            assert await stream.ended()
        assert (await status(holder, last=stream.id, q=OWN))[0] == 401
    async with listening(client, "globex", q=OWN) as stream:
        await stream.frame()
        await acme.operator.delete("/v1/tenants/globex")
        while (problem := await stream.problem())["status"] == 503:  # its index may be gone first
            pass
        assert problem["status"] == 404
        assert await stream.ended()


@pytest.mark.parametrize("during", ["wait", "read"])
async def test_nothing_is_handed_out_for_a_token_that_ends_while_it_is_read(
    acme: Site, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    await send(acme, "e1")
    await acme.settled()
    asked, ended = acme.platform.search, False
    owner, name = (asked, "complete_up_to") if during == "wait" else (acme.platform.index, "tail")
    real = getattr(owner, name)

    async def ending(*args: Any, **kwargs: Any) -> Any:
        nonlocal ended
        ended = True
        return await real(*args, **kwargs)

    def check() -> None:
        if ended:
            raise Unauthenticated("it was revoked meanwhile")

    following = await asked.tailing(TenantScope("acme"), Question(OWN), now=acme.platform.now(), after="")
    monkeypatch.setattr(owner, name, ending)
    async with aclosing(acme.platform.live_tails.follow(following, check)) as news:
        with pytest.raises(Unauthenticated):
            await anext(news)


async def test_a_log_that_is_not_heard_of_is_told_to_every_stream(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)

    async def hang(*_: Any) -> int:
        await asyncio.Event().wait()
        raise AssertionError

    async with listening(client, q=OWN) as one, listening(client, q=OWN) as other:
        with monkeypatch.context() as patched:
            patched.setattr(search, "_HEARD_SECONDS", 0.05)
            patched.setattr(acme.platform.processor, "indexed_up_to", hang)
            for stream in (one, other):
                problem = await stream.problem()
                assert (problem["status"], "not heard" in problem["detail"]) == (503, True)
            answer = await client.get("/v1/tenants/acme/events", params={"q": OWN})
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "log-unavailable")
        await send(acme, "e1")
        for stream in (one, other):
            assert (await stream.event())["event.id"] == "e1"


@pytest.mark.parametrize(("error", "status"), [(QueryError("too many words"), 400), (ControlError("of a later version"), 503)])
async def test_a_stream_that_can_never_go_on_says_why_and_ends(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        raise error

    async with listening(client, q=OWN) as stream:
        await stream.frame()
        monkeypatch.setattr(acme.platform.index, "tail", never)
        await send(acme, "e1")
        problem = await stream.problem()
        assert (problem["status"], problem["detail"]) == (status, str(error))
        assert await stream.ended()


async def test_beginning_is_audited_and_going_on_is_not(acme: Site, client: httpx.AsyncClient) -> None:
    async with listening(client, q=OWN, after="latest") as stream:
        await stream.frame()
    for _ in range(3):
        async with listening(client, q=OWN, after="latest", last=stream.id) as stream:
            await stream.frame()
    await acme.settled()
    found = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:events_tailed"})).json()["events"]
    assert [(event["idp"]["q"], event["idp"]["stream"]) for event in found] == [(OWN, True)]


def asgi(here: Site, path: str) -> dict[str, Any]:
    """A request for a stream, as a server hands it to the application."""
    headers = [(b"authorization", here.operator.headers["Authorization"].encode()), (b"accept", b"text/event-stream")]
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
        self.asked = 0
        self.answering = asyncio.Event()

    async def complete_up_to(self, _: TenantScope) -> int:
        self.asked += 1
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

    waiting = asyncio.create_task(first())
    while not log.asked:  # the question that is shared
        await asyncio.sleep(0)
    following = asyncio.create_task(second())
    while log.asked < 2:  # the first one of a new connection, which is its own
        await asyncio.sleep(0)
    log.answering.set()  # both go on in the same turn of the event loop, in this order
    await waiting
    while log.asked < 3:
        assert not following.done() or following.result()
        await asyncio.sleep(0)
    log.tails.close()
    async with asyncio.timeout(PATIENCE):
        await following


async def test_a_service_that_stops_ends_its_streams(acme: Site, client: httpx.AsyncClient) -> None:
    async with listening(client, q=OWN) as stream:
        await stream.frame()
        acme.platform.live_tails.close()
        assert await stream.ended(), "in order, and not by a broken connection"
