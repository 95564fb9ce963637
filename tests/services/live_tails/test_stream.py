"""Live tails: server-sent events that lose nothing and repeat nothing, for whom they are, from where they were asked."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from services.api import event_tail
from streams.search_index import Hit
from tests.platforms import Site
from tests.processes import OWN
from tests.served import listening
from tests.services.live_tails.tails import okta, send, status

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


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


async def test_beginning_is_audited_and_going_on_is_not(acme: Site, client: httpx.AsyncClient) -> None:
    async with listening(client, q=OWN, after="latest") as stream:
        await stream.frame()
    for _ in range(3):
        async with listening(client, q=OWN, after="latest", last=stream.id) as stream:
            await stream.frame()
    await acme.settled()
    found = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:events_tailed"})).json()["events"]
    assert [(event["idp"]["q"], event["idp"]["stream"]) for event in found] == [(OWN, True)]
