"""An event's neighbours: of the same session, user and address, and of the same tenant."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from streams.errors import IndexUnavailable
from tests.platforms import Site
from tests.services.console_browser import browser, fill
from tests.services.console_log.globex_log import found, login


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
