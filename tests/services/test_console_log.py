"""What belongs to the console's log: columns, completion, neighbours, live tail, export, links; and that none of it crosses tenants."""

from __future__ import annotations

import asyncio
import html
import io
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from dashboards.console.completion import Choice
from dashboards.console.event_page import EventPage
from services.access.session import Session
from services.api import console_completion, console_event, console_log, event_tail
from services.events.live_tails import LiveTails
from services.events.slots import Slots
from streams.errors import IndexUnavailable
from streams.query import flat
from streams.scope import TenantScope
from tests.platforms import Site, keycloak
from tests.processes import PATIENCE
from tests.served import Stream, served
from tests.services.console_browser import OURS, Browser, browser, fill, of_globex, token_of

REALM = keycloak("globex")["realm_id"]
HOSTILE = '"><script>alert(1)</script>\x1b[31m\u202e=cmd'


def login(identifier: str, second: int, **more: Any) -> dict[str, Any]:
    """A sign-in at Globex's realm."""
    return {"id": identifier, "time": 1_795_000_000_000 + 1000 * second, "type": "LOGIN", "realmId": REALM, **more}


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex", keycloak("globex"))
    return here


async def found(here: Site, q: str) -> list[dict[str, Any]]:
    """What a search of Globex's log finds, once everything is indexed."""
    await here.settled()
    events: list[dict[str, Any]] = (await here.operator.get("/v1/tenants/globex/events", params={"q": q})).json()["events"]
    return events


def attribute(page: str, name: str) -> str:
    """The first value of this attribute."""
    [value, *_] = re.findall(rf'\b{name}="([^"]*)"', page)
    return html.unescape(value)


def exports(page: str) -> dict[str, str]:
    """The exports that a page links, by their formats."""
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+/log/export\?[^"]+)"', page)]
    return {link.rpartition("format=")[2]: link for link in links}


PARTS = (
    "/log/completion?q=user&at=4",
    "/log/completion?q=user.name:&at=10",
    "/log/export?format=csv",
    "/log/tail?after=latest",
    "?column=user.id",
)


@pytest.mark.parametrize("part", PARTS)
async def test_no_part_of_the_log_answers_another_tenants_session(here: Site, part: str) -> None:
    path = f"/console/globex{part}"
    analyst = await browser(here, "acme", "events:read")
    for tenant_path in (path, path.replace("globex", "nobody")):
        assert "Globex" not in await analyst.open(tenant_path)
        assert analyst.page.status_code == 404
    keys_only = await browser(here, "globex", "keys:read")
    assert "events:read" in await keys_only.open(path)
    assert keys_only.page.status_code == 403
    unknown = Browser(here)
    unknown.client.follow_redirects = False
    await unknown.open(path)
    assert (unknown.page.status_code, unknown.page.headers["location"][:14]) == (303, "/console?next=")


async def test_columns_are_in_the_address_and_stay_in_every_link(here: Site) -> None:
    await fill(here, login("e1", 0, userId="u-1", details={"auth_method": "openid-connect"}))
    analyst = await browser(here, "globex", "events:read")
    query = "range=all&column=user.id&column=idp.details.auth_method&column="
    page = await analyst.open(f"/console/globex?{query}")
    assert analyst.page.url.params["columns"] == "user.id,idp.details.auth_method", "the form is sent on to the short address"
    assert re.findall(r'<th scope="col"[^>]*>(?:<bdi>)?([^<]+)', page) == ["Time", "user.id", "idp.details.auth_method"]
    row = page.partition("<tbody>")[2]
    assert "<bdi>u-1</bdi>" in row
    assert "<bdi>openid-connect</bdi>" in row
    links = re.findall(r'href="(/console/globex\?[^"]+)"', page)
    assert [link for link in links if "columns=" not in link] == [next(link for link in links if "columns=" not in link)], "the usual ones"
    assert '<input type="hidden" name="columns" value="user.id,idp.details.auth_method">' in page


async def test_a_column_that_is_none_is_a_problem_of_the_page(here: Site) -> None:
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", columns="user.nam")
    assert analyst.page.status_code == 400
    assert "columns: unknown field `user.nam`" in page
    assert "did you mean `user.name`?" in page


async def completed(analyst: Browser, q: str, **parameters: str) -> list[str]:
    """What can stand at the end of the query."""
    answer = await analyst.client.get("/console/globex/log/completion", params={"q": q, "at": str(len(q)), "range": "all", **parameters})
    assert answer.status_code == 200, answer.text
    return [choice["insert"] for choice in answer.json()["choices"]]


async def test_fields_and_values_are_completed(here: Site) -> None:
    await fill(
        here,
        login("e1", 0, details={"username": "alice", "auth_method": "openid-connect"}, ipAddress="192.0.2.1"),
        login("e2", 1, details={"username": "Bob Jones"}, ipAddress="2001:db8::1"),
        login("e3", 2, details={"username": "alice"}),
    )
    analyst = await browser(here, "globex", "events:read")
    assert await completed(analyst, "NOT user.na") == ["user.name:"]
    assert await completed(analyst, "user.name:") == ["alice ", '"Bob Jones" ']
    assert await completed(analyst, "user.name:BO") == ['"Bob Jones" ']
    assert await completed(analyst, "source.ip:") == ["192.0.2.1 ", '"2001:db8::1" ']
    assert "idp.details.auth_method:" in await completed(analyst, "idp.")
    assert await completed(analyst, "idp.details.auth_method:") == ["openid-connect "]
    assert ">=now-1h " in await completed(analyst, "@timestamp:")
    for nothing in ("event.id:", "user.nam:a", 'user.name:"alice"', "@timestamp:[now"):
        assert await completed(analyst, nothing) == []
    assert await completed(analyst, "user.name:", since="2030-01-01T00:00Z") == [], "of the times of the page"
    assert await completed(analyst, "user.name:", since="yesterday") == [], "the page itself says what is wrong with them"


async def test_rare_values_are_completed_by_how_they_begin(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.console_completion._VALUES", 1)
    await fill(here, *(login(f"e{n}", n, details={"username": name}) for n, name in enumerate(["alice", "alice", "zoe"])))
    analyst = await browser(here, "globex", "events:read")
    assert await completed(analyst, "user.name:zo") == ["zoe "]


async def test_our_own_events_are_completed_only_where_they_are_shown(here: Site) -> None:
    await fill(here, login("e1", 0))
    analyst = await browser(here, "globex", "events:read")
    await here.settled()
    assert await completed(analyst, "event.action:") == ["login "]
    assert "token_minted " in await completed(analyst, "event.action:", own="1")
    assert set(await completed(analyst, "event.provider:")) == {"keycloak ", "tenantry "}


async def test_completion_is_audited_once_a_session_and_field(here: Site) -> None:
    await fill(here, login("e1", 0, details={"username": "alice"}))
    analyst = await browser(here, "globex", "events:read")
    for q in ("user.name:", "user.name:a", "user.name:al", "event.act", "event.action:"):
        await completed(analyst, q)
    audited = [event["idp"] for event in await found(here, "event.action:events_counted")]
    assert sorted(audited, key=lambda one: str(one["by"])) == [
        {"by": "event.action", "via": "console"},
        {"by": "user.name", "via": "console"},
    ]


async def test_a_session_has_one_completion_at_a_time_and_then_the_newest(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    analyst = await browser(here, "globex", "events:read")
    go_on, begun, asked, sessions = asyncio.Event(), asyncio.Event(), list[str](), list[Session]()

    async def slow(*parts: Any) -> tuple[Choice, ...]:
        asked.append(parts[-1].text)
        sessions.append(parts[3].session)
        begun.set()
        await go_on.wait()
        return (Choice(parts[-1].text, "", ""),)

    monkeypatch.setattr(console_completion, "_choices", slow)
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(completed(analyst, "a"))]
        await begun.wait()
        answers += [group.create_task(completed(analyst, q)) for q in ("al", "ali", "alic")]
        while sessions[0].completions < len(answers):  # noqa: ASYNC110 -- nothing tells of those that wait
            await asyncio.sleep(0.01)
        assert asked == ["a"]
        go_on.set()
    *earlier, newest = (answer.result() for answer in answers)
    assert newest, "the newest is answered"
    assert earlier.count([]) >= 2, "what was typed on is asked for no more"
    assert len(asked) == 2


async def test_a_tenants_sessions_have_so_many_completions_at_once(here: Site) -> None:
    await fill(here, login("e1", 0, details={"username": "alice"}))
    analyst, other = await browser(here, "globex", "events:read"), await browser(here, "acme", "events:read")
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(here.platform.completions.take(TenantScope("globex")))
        for q in ("user.name:", "idp.", "idp.details.auth_method:"):
            answer = await analyst.client.get("/console/globex/log/completion", params={"q": q, "at": str(len(q))})
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
        assert await completed(analyst, "user.na") == ["user.name:"], "which takes no search"
        answer = await other.client.get("/console/acme/log/completion", params={"q": "user.name:", "at": "10", "range": "all"})
        assert answer.status_code == 200
    assert await completed(analyst, "user.name:") == ["alice "]
    assert here.platform.completions.taken == 0


async def test_what_is_made_of_large_events_is_not_made_on_the_event_loop(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(here, login("e1", 0, sessionId="s-1"))
    made = dict[str, int]()

    def watch(where: Any, name: str) -> None:
        make = getattr(where, name)

        def watched(*args: Any) -> Any:
            made[name] = threading.get_ident()
            return make(*args)

        monkeypatch.setattr(where, name, watched)

    watch(console_log, "_rows")
    watch(console_completion, "_counted")
    watch(console_event, "_beside")
    watch(EventPage, "of")
    analyst = await browser(here, "globex", "events:read")
    assert "/events/e1" in await analyst.open("/console/globex", range="all")
    assert await completed(analyst, "idp.")
    assert "s-1" in await analyst.open("/console/globex/events/e1")
    assert set(made) == {"_rows", "_counted", "_beside", "of"}
    assert threading.get_ident() not in made.values()


async def test_a_large_event_takes_no_completion_long(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(here, login("e1", 0, details={"auth_method": "openid-connect"}, many={f"k{n}": n for n in range(60_000)}))
    made = 0
    text_of = flat.text_of

    def counted(value: Any) -> str | None:
        nonlocal made
        made += 1
        return text_of(value)

    analyst = await browser(here, "globex", "events:read")
    monkeypatch.setattr(flat, "text_of", counted)
    assert await completed(analyst, "idp.many.k")
    assert 0 < made <= 1000
    assert await completed(analyst, "idp.details.auth_method:") == ["openid-connect "]
    await analyst.open("/console/globex", range="all", columns="idp.many.k5,idp.details.auth_method")
    assert made <= 1100


async def test_hostile_values_are_completed_as_text(here: Site) -> None:
    await fill(here, login("e1", 0, details={"username": HOSTILE}))
    analyst = await browser(here, "globex", "events:read")
    answer = await analyst.client.get("/console/globex/log/completion", params={"q": "user.name:", "at": "10", "range": "all"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    [choice] = answer.json()["choices"]
    assert choice["label"]["parts"][1::2] == ["ESC", "RLO"]
    page = await analyst.open("/console/globex", range="all", q=f"user.name:{choice['insert']}")
    assert "<strong>1</strong> event" in page


async def test_an_event_has_its_neighbours(here: Site) -> None:
    alice = {"userId": "u-alice", "sessionId": "s-1", "ipAddress": "192.0.2.1"}
    await fill(
        here,
        *(login(f"before{n}", n, **alice) for n in range(7)),
        login("middle", 10, **alice),
        login("other-session", 11, **{**alice, "sessionId": "s-2"}),
        login("other-user", 12, userId="u-bob", sessionId="s-3", ipAddress="192.0.2.1"),
        login("same-moment", 10, **alice),
    )
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex/events/middle")
    session, user, address = (part.partition("</section>")[0] for part in page.split('<section class="near"')[1:])

    def shown(part: str) -> list[str]:
        return re.findall(r'href="/console/globex/events/([^"]+)"', part)

    nearest = [f"before{n}" for n in range(2, 7)]
    assert shown(session) == [*nearest, "same-moment"]
    assert shown(user) == [*nearest, "same-moment", "other-session"]
    assert shown(address) == [*nearest, "same-moment", "other-session", "other-user"]
    assert "4 s before" in session
    assert "there may be more before" in session
    following = html.unescape(re.findall(r'href="([^"]+)">All of the same session', session)[0])
    assert "<strong>9</strong> events" in await analyst.open(following)
    [read] = await found(here, "event.action:event_read")
    assert read["idp"]["neighbours"] == ["session.id", "user.id", "source.ip"]


async def test_neighbours_are_of_the_same_tenant(here: Site) -> None:
    await fill(here, login("ours", 0, sessionId="s-1"))
    okta = {"uuid": "theirs", "published": "2026-11-18T10:53:20Z", "eventType": "x", "authenticationContext": {"externalSessionId": "s-1"}}
    taken = await here.operator.post("/v1/tenants/acme/events?source=okta", json=[okta])
    assert taken.json()["taken"] == 1
    await here.settled()
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex/events/ours")
    assert "No other event has this session.id." in page
    assert "theirs" not in page


async def test_an_index_that_is_away_takes_the_neighbours_and_not_the_event(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(here, login("e1", 0, sessionId="s-1"))
    analyst = await browser(here, "globex", "events:read")

    async def away(*_: Any, **__: Any) -> Any:
        raise IndexUnavailable("the index is away")

    monkeypatch.setattr(here.platform.index, "search", away)
    page = await analyst.open("/console/globex/events/e1")
    assert analyst.page.status_code == 200
    assert "told just now: <bdi>the index is away</bdi>" in page
    assert "s-1" in page


async def test_an_export_of_the_page_is_the_apis(here: Site) -> None:
    await fill(here, *of_globex(60))
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all", q="event.outcome:success")
    links = exports(page)
    assert set(links) == {"csv", "ndjson", "parquet"}
    q = "event.outcome:success NOT event.provider:tenantry"
    for kind, link in links.items():
        answer = await analyst.client.get(link)
        theirs = await here.operator.get("/v1/tenants/globex/events/export", params={"q": q, "format": kind})
        assert answer.headers["content-disposition"] == f'attachment; filename="globex-events.{kind}"'
        assert answer.headers["cache-control"] == "no-store"
        if kind == "parquet":
            ours, apis = (pq.read_table(io.BytesIO(body)) for body in (answer.content, theirs.content))
            assert ours.equals(apis)
        else:
            assert answer.content == theirs.content
    audited = [event["idp"] for event in await found(here, "event.action:events_exported")]
    assert sorted(one["format"] for one in audited if one.get("via") == "console") == ["csv", "ndjson", "parquet"]


async def test_an_export_too_many_is_a_page_that_says_so(here: Site) -> None:
    await fill(here, login("e1", 0))
    analyst = await browser(here, "globex", "events:read")
    object.__setattr__(here.platform, "exports", Slots("exports", per_tenant=0, in_all=0))
    page = await analyst.open("/console/globex/log/export", format="csv")
    assert (analyst.page.status_code, bool(analyst.page.headers["retry-after"])) == (429, True)
    assert "exports under way" in page
    await analyst.open("/console/globex/log/export", format="xlsx")
    assert analyst.page.status_code == 400


async def test_a_link_with_fixed_times_finds_the_same_later(here: Site) -> None:
    await fill(here, login("e1", 0))
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all", columns="user.id")
    fixed = html.unescape(re.findall(r'href="([^"]+)" data-copy>With the times', page)[0])
    assert {"columns", "until"} == set(httpx.URL(fixed).params) - {"q"}
    await fill(here, {**login("later", 0), "time": here.platform.now()})
    again = await analyst.open(fixed)
    assert "<strong>1</strong> event" in again
    assert "With the times" not in again, "they are fixed already"
    assert "data-live=" not in again, "nothing arrives before a given end"
    page = await analyst.open("/console/globex", since="now-2h")
    fixed = html.unescape(re.findall(r'href="([^"]+)" data-copy>With the times', page)[0])
    assert set(httpx.URL(fixed).params) == {"since", "until"}


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


live = pytest.mark.allow_hosts(["127.0.0.1"])


@live
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


@live
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


@live
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


async def test_later_pages_have_no_live_tail(here: Site) -> None:
    await fill(here, *of_globex(60))
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all")
    assert "data-live=" in page
    page = await analyst.open(html.unescape(re.findall(r'href="([^"]+)" rel="next"', page)[0]))
    assert "data-live=" not in page
    assert set(exports(page)) == {"csv", "ndjson", "parquet"}


async def test_an_empty_log_can_be_waited_at(here: Site) -> None:
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex")
    assert "No event from an identity provider yet" in page
    assert "data-live=" in page
    assert "<tbody>" in page
