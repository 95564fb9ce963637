"""The platform pages: for operators only, of any number of tenants, and a replay by button."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dashboards.console.platform_frame import SPANS
from keyvault.durations import DAY
from services.api import console_platform
from services.events import revival
from services.overview.calendar import calendar
from services.overview.replays import Replays
from streams.dead_letters import Reason
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, NewRecord
from streams.raw_event import RawEvent, dead_letter
from streams.scope import TenantScope
from tests.platforms import REALM_IDS, Site, keycloak
from tests.services.console_browser import Browser, browser, operator_token

PAGES = ("", "/dead-letters", "/dead-letters/not_json", "/calendar", "/health")
LATE = {"provider": "keycloak", "realm_id": "11111111-2222-3333-4444-555555555555", "realm": "late"}


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex", keycloak("globex"))
    return here


@pytest.fixture
async def operator(here: Site) -> Browser:
    found = Browser(here)
    await found.sign_in(operator_token(here))
    return found


async def send(here: Site, *lines: bytes) -> None:
    """Raw events, as an identity provider writes them to the log."""
    await here.platform.log.append([NewRecord(IDP_EVENTS, line) for line in lines])
    await here.settled()


def login(event_id: str, realm: str) -> bytes:
    return json.dumps({"id": event_id, "time": 1_795_000_000_000, "type": "LOGIN", "realmId": realm}).encode()


async def after(operator: Browser) -> str:
    """The page of dead letters once the replay is over."""
    async with asyncio.timeout(60):
        while "The replay begun" not in (page := await operator.open("/console/-/platform/dead-letters")):  # noqa: ASYNC110 -- as people do
            await asyncio.sleep(0.05)  # a page may be there at once, and the replay needs turns
    return page


async def test_only_operators_see_them(here: Site, operator: Browser) -> None:
    admin = await browser(here, "acme", "tenant:admin", "events:read", "keys:read")
    assert "/console/-/platform" not in admin.page.text
    for page in PAGES:
        await admin.open(f"/console/-/platform{page}")
        assert admin.page.status_code == 403
        assert "Globex" not in admin.page.text
        anonymous = Browser(here)
        assert "Sign in" in await anonymous.open(f"/console/-/platform{page}")
    csrf = (await admin.client.get("/console/acme")).text.partition('name="csrf" value="')[2].partition('"')[0]
    assert (await admin.press("/console/-/platform/dead-letters/replay", csrf=csrf)).status_code == 403
    assert 'href="/console/-/platform"' in await operator.open("/console")


async def test_tenants_are_found_sorted_and_paged_without_a_question_for_each(here: Site, operator: Browser) -> None:
    page = await operator.open("/console/-/platform")
    assert re.findall(r'<small class="mono">([a-z]+)</small>', page) == ["acme", "globex"]
    await here.operator.post(
        "/v1/tenants/globex/events",
        content=b"\n".join(login(f"g{number}", REALM_IDS["globex"]) for number in range(50)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    await here.settled()
    await here.platform.index.refresh(TenantScope("globex"))  # an engine counts what can be found
    here.platform.overview.tenants.forget()
    page = await operator.open("/console/-/platform", sort="size")
    assert re.findall(r'<small class="mono">([a-z]+)</small>', page) == ["globex", "acme"]
    assert 'aria-sort="descending">Size' in page
    assert "<dt>Events a minute</dt>" in page
    assert '"behind"' not in page
    page = await operator.open("/console/-/platform", find="GLOB")
    assert re.findall(r'<small class="mono">([a-z]+)</small>', page) == ["globex"]
    assert "No tenant is called that" in await operator.open("/console/-/platform", find="<nobody>")
    assert operator.page.status_code == (await operator.client.get("/console/-/platform?page=9999&sort=x")).status_code == 200


async def test_a_page_whose_answer_takes_long_says_so_and_gives_way_to_it(
    here: Site, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_platform, "_PATIENCE_SECONDS", 0.0)
    for path in ("", "/calendar"):
        page = await operator.open(f"/console/-/platform{path}")
        assert "2 tenants are being looked at." in page
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    await here.platform.overview.tenants.get()
    await here.platform.overview.calendar.get()
    monkeypatch.undo()
    assert "Tenants at a glance" in await operator.open("/console/-/platform")
    assert "Rotation calendar" in await operator.open("/console/-/platform/calendar")


async def test_dead_letters_come_by_reason_with_samples_that_are_text(here: Site, operator: Browser) -> None:
    await send(here, b"<script>alert(1)</script>\x1b[31m", login("late", LATE["realm_id"]), b"\xff\xfe")
    page = await operator.open("/console/-/platform/dead-letters")
    assert re.findall(r'<span class="mono"><bdi>([a-z_]+)</bdi>', page) == ["not_json", "unknown_tenant_source"]
    assert "Declare it as a source of its tenant" in page
    page = await operator.open("/console/-/platform/dead-letters/not_json")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<i>ESC</i>[31m" in page
    assert "No dead letter waits for this reason" in await operator.open("/console/-/platform/dead-letters/nonsense")
    assert operator.page.status_code == 404


async def test_reading_what_came_by_a_tenants_way_is_in_that_tenants_log(here: Site, operator: Browser) -> None:
    letter = dead_letter(RawEvent(b"no json", "x", 1, tenant="acme"), Reason.NOT_JSON, "it is no JSON")
    await here.platform.log.append([letter])
    await operator.open("/console/-/platform/dead-letters/not_json")
    await here.settled()
    [event] = (await here.operator.get("/v1/tenants/acme/events", params={"q": "event.action:dead_letters_read"})).json()["events"]
    assert event["idp"]["reason"] == "not_json"
    assert event["user.id"].startswith("operator:")


async def test_a_replay_brings_back_what_has_a_tenant_now_and_says_what_it_did(here: Site, operator: Browser) -> None:
    await send(here, login("late-1", LATE["realm_id"]), login("late-2", LATE["realm_id"]), b"no json")
    await here.create("late", LATE)
    page = await operator.open("/console/-/platform/dead-letters")
    assert "3 of those counted here" in page
    await operator.press("/console/-/platform/dead-letters/replay", csrf=operator.hidden("csrf"))
    assert "3 dead letters sent to the router again" in await after(operator)
    await here.settled()
    here.platform.overview.letters.forget()
    page = await operator.open("/console/-/platform/dead-letters")
    assert re.findall(r'<span class="mono"><bdi>([a-z_]+)</bdi>', page) == ["not_json"]
    found = (await here.operator.get("/v1/tenants/late/events", params={"q": "event.action:login"})).json()["events"]
    assert {event["event.id"] for event in found} == {"late-1", "late-2"}


async def test_a_replay_needs_the_form_of_this_session(here: Site, operator: Browser) -> None:
    await send(here, b"no json")
    await operator.open("/console/-/platform/dead-letters")
    assert (await operator.press("/console/-/platform/dead-letters/replay", csrf="x")).status_code == 403
    assert here.platform.overview.replays.last is None
    page = await operator.open("/console/-/platform/dead-letters/replay")
    assert "Replay the dead letters" in page, "the button's address, loaded by itself"


async def test_while_a_replay_goes_on_there_is_no_second_one_and_the_page_tells_how_far_it_is(
    here: Site, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def slow(log: object, progress: Callable[[revival.Revived], None]) -> revival.Revived:
        progress(revival.Revived(revived=1))
        await held.wait()
        return revival.Revived()

    monkeypatch.setattr("services.overview.replays.revive", slow)
    await send(here, b"no json", b"nor this")
    await operator.open("/console/-/platform/dead-letters")
    csrf = operator.hidden("csrf")
    await operator.press("/console/-/platform/dead-letters/replay", csrf=csrf)
    first = here.platform.overview.replays.last
    await asyncio.sleep(0)
    page = (await operator.press("/console/-/platform/dead-letters/replay", csrf=csrf)).text
    assert here.platform.overview.replays.last is first
    assert re.search(r'<progress value="1" max="\d+"', page)
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert "Replay the dead letters" not in page
    held.set()
    assert "is over." in await after(operator)


async def test_a_replay_that_the_service_ends_waits_for_the_next_one(here: Site) -> None:
    replays = Replays(here.platform.log, here.platform.now)
    await send(here, b"no json")
    replay = await replays.begin("operator:test")
    await replays.close()
    assert not replay.running
    assert replay.failure or replay.done.all


async def test_the_calendar_has_every_tenants_rotation_on_its_day(here: Site, operator: Browser) -> None:
    policy = {"rotation_period": "P7D"}
    assert (await here.operator.put("/v1/tenants/acme/keys/policy", json=policy)).status_code == 200
    await here.platform.custodian.settle(TenantScope("acme"))
    here.platform.overview.calendar.forget()
    ring = here.platform.rings.of("acme")
    assert ring.active is not None
    assert ring.active.activated_at is not None
    turn = ring.active.activated_at + 7 * DAY
    date = f"{datetime.fromtimestamp(turn / 1000, UTC):%Y-%m-%d}"
    page = await operator.open("/console/-/platform/calendar")
    assert f"/console/-/platform/calendar?day={date}#day" in page
    assert "1 activated" in page
    opened = await operator.open("/console/-/platform/calendar", day=date)
    assert 'href="/console/acme/keys" class="mono">acme</a>' in opened
    assert 'class="mono">globex</a>' not in opened, "it rotates in 90 days"
    assert "Overdue" not in opened
    found = await calendar(here.platform.tenants, here.platform.rings, here.platform.scheduler, here.platform.now)
    assert (found.rings, len(found.days)) == (2, SPANS[-1])
    assert "Activate" in await operator.open("/console/-/platform/calendar", day="nonsense")


async def test_a_calendar_without_anything_names_the_next_date_and_looks_further_ahead(here: Site, operator: Browser) -> None:
    ring = here.platform.rings.of("acme")
    assert ring.active is not None
    assert ring.active.activated_at is not None
    turn = ring.active.activated_at + 90 * DAY
    date = f"{datetime.fromtimestamp(turn / 1000, UTC):%Y-%m-%d}"
    page = await operator.open("/console/-/platform/calendar")
    assert "Nothing is due" in page
    assert f'The next: <time datetime="{date}T' in page
    assert '<a href="/console/acme/keys" class="mono">acme</a>: Activate.' in page
    assert re.findall(r'<a class="chip" href="([^"]+)"( aria-current="true")?>(\d+) weeks', page) == [
        ("/console/-/platform/calendar", ' aria-current="true"', "4"),
        ("/console/-/platform/calendar?days=98", "", "14"),
    ]
    page = await operator.open("/console/-/platform/calendar", days="98")
    assert "in the next 98 days" in page
    assert f'href="/console/-/platform/calendar?days=98&amp;day={date}#day"' in page
    assert re.search(rf'<h2 id="day">[A-Z][a-z]+ {date}: \d changes: .*2 activated', page), "it opens the first day with anything"
    assert "in the next 28 days" in await operator.open("/console/-/platform/calendar", days="nonsense")


async def test_health_tells_of_each_engine_and_what_to_do(here: Site, operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    page = await operator.open("/console/-/platform/health")
    assert "All is well." in page
    for name in ("Event log", "Search index", "Key store", "Control log", "Data directory", "Settings"):
        assert name in page
    monkeypatch.setenv("TENANTRY_VAULT_TOKE", "geheim")
    here.platform.overview.health.forget()
    page = await operator.open("/console/-/platform/health")
    assert "1 part needs you." in page
    assert "did you mean TENANTRY_VAULT_TOKEN?" in page
    assert "geheim" not in page


async def test_letters_that_a_replay_leaves_say_so(here: Site, operator: Browser) -> None:
    await here.platform.log.append([dead_letter(RawEvent(b"{}", "x", 1, tenant="acme"), Reason.INDEX_REJECTED, "too strange")])
    page = await operator.open("/console/-/platform/dead-letters")
    assert "a replay leaves these" in page
    assert "None of those counted here would be sent again" in page
    assert sum((await here.platform.log.ends(DEAD_LETTERS)).values()) > 0
