"""The log's live tail: it goes on where the page ended, and ends with its session."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.api import event_tail
from services.events.live_tails import LiveTails
from services.events.slots import Slots
from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.served import Stream, served
from tests.services.console_browser import OURS, fill, token_of
from tests.services.console_log.globex_log import HOSTILE, found, login

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def attribute(page: str, name: str) -> str:
    """The first value of this attribute."""
    [value, *_] = re.findall(rf'\b{name}="([^"]*)"', page)
    return html.unescape(value)


@asynccontextmanager
async def signed_in(url: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a served console, with a session."""
    async with httpx.AsyncClient(base_url=url, headers=OURS, timeout=PATIENCE) as client:
        assert (await client.post("/console/-/sign-in", data={"token": token})).status_code == 303
        yield client


@asynccontextmanager
async def tailing(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[Stream]:
    async with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        yield Stream(answer)


async def page_with_tail(client: httpx.AsyncClient, **parameters: str) -> str:
    """Where a page says that its live tail is."""
    return attribute((await client.get("/console/globex", params={"range": "all", **parameters})).text, "data-live")


async def test_a_live_tail_begins_where_the_page_ended_and_sends_rows_of_its_table(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(here, login("before", 0))
    made = set[int]()
    parts = event_tail._parts

    def watched(*args: Any) -> Iterator[bytes]:
        for part in parts(*args):
            made.add(threading.get_ident())
            yield part

    monkeypatch.setattr(event_tail, "_parts", watched)
    async with served(here.platform) as url, signed_in(url, await token_of(here, "globex", "events:read")) as client:
        path = await page_with_tail(client, q="event.action:login", columns="user.name,event.outcome")
        await fill(here, login("between", 1, details={"username": HOSTILE}), {**login("no", 2), "type": "LOGOUT"})
        async with tailing(client, path) as stream:
            row = await stream.event()
            assert row["href"] == "/console/globex/events/between"
            assert [cell["label"] for cell in row["cells"]] == ["User", "Outcome"]
            assert row["cells"][0]["value"]["parts"] == ['"><script>alert(1)</script>', "ESC", "[31m", "RLO", "=cmd"]
            between = stream.id
            await fill(here, login("after", 3))
            assert (await stream.event())["href"].endswith("/after")
        for again in ({"Last-Event-ID": between or ""}, {}):
            resumed = path if again else str(httpx.URL(path).copy_set_param("after", between or ""))
            async with tailing(client, resumed, **again) as stream:
                assert (await stream.event())["href"].endswith("/after"), "a reader that goes on misses nothing and has nothing twice"
    [begun] = [event["idp"] for event in await found(here, "event.action:events_tailed")]
    assert (begun["via"], begun["stream"]) == ("console", True)
    assert made, "rows were made"
    assert threading.get_ident() not in made, "not on the event loop: their events may be large"


@pytest.mark.parametrize("end", ["sign out", "sign in as another", "revoke", "delete the tenant"])
async def test_a_live_tail_ends_with_its_session(here: Site, end: str) -> None:
    token = await token_of(here, "globex", "events:read")
    [listed] = (await here.operator.get("/v1/tenants/globex/tokens")).json()["tokens"]
    async with served(here.platform) as url, signed_in(url, token) as client:
        page = (await client.get("/console/globex")).text
        async with tailing(client, attribute(page, "data-live")) as stream:
            await stream.frame()
            match end:
                case "sign out":
                    answer = await client.post("/console/-/sign-out", data={"csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0]})
                case "sign in as another":
                    answer = await client.post("/console/-/sign-in", data={"token": await token_of(here, "acme", "events:read")})
                case "revoke":
                    answer = await here.operator.delete(f"/v1/tenants/globex/tokens/{listed['id']}")
                case _:
                    answer = await here.operator.delete("/v1/tenants/globex")
            assert answer.status_code < 400
            while (problem := await stream.problem())["status"] == 503:  # of a deleted tenant, the index goes first
                pass
            assert problem["status"] in {401, 404}
            assert await stream.ended()


async def test_a_live_tail_too_many_is_told_why(here: Site) -> None:
    tails = LiveTails(here.platform.search)
    tails._slots = Slots("live tails", per_tenant=1, in_all=1)
    object.__setattr__(here.platform, "live_tails", tails)
    async with served(here.platform) as url, signed_in(url, await token_of(here, "globex", "events:read")) as client:
        path = await page_with_tail(client)
        async with tailing(client, path) as first:
            await first.frame()
            async with tailing(client, path) as second:
                assert (await second.problem())["status"] == 429
                assert await second.ended()
