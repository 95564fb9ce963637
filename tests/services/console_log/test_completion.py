"""Completion of fields and values in the log's search box."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from dashboards.console.completion import Choice
from services.access.session import Session
from services.api import console_completion
from streams.scope import TenantScope
from tests.platforms import Site
from tests.services.console_browser import browser, fill
from tests.services.console_log.globex_log import HOSTILE, completed, found, login


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
