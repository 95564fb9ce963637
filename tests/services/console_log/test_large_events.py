"""Large events hold up nobody: what is made of them takes bounded work, off the event loop."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dashboards.console.event_page import EventPage
from services.api import console_completion, console_event, console_log
from streams.query import flat
from tests.platforms import Site
from tests.services.console_browser import browser, fill
from tests.services.console_log.globex_log import completed, login


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
