"""The console's pages in front of a running platform: what they show, to whom, and what a rotation by button does."""

from __future__ import annotations

import html
import re

import pytest

from tests.platforms import Site, keycloak
from tests.services.console_browser import Browser, browser, fill, of_globex, operator_token


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex", keycloak("globex"))
    return here


async def test_operators_see_all_tenants(here: Site) -> None:
    operator = Browser(here)
    await operator.sign_in(operator_token(here))
    assert 'href="/console/acme"' in operator.page.text
    assert 'href="/console/globex/keys"' in operator.page.text
    assert 'href="/console/acme"' not in await operator.open("/console", find="GLOB")
    assert "No tenant is called that" in await operator.open("/console", find="<nobody>")


@pytest.mark.parametrize(
    ("site", "packed"), [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("", False)]
)
async def test_a_page_is_packed_only_for_whom_its_size_tells_nothing(here: Site, site: str, *, packed: bool) -> None:
    analyst = await browser(here, "globex", "events:read")
    analyst.client.headers["Sec-Fetch-Site"] = site
    page = await analyst.open("/console/globex", q="x" * 400)
    assert "x" * 400 in page
    assert (analyst.page.headers.get("content-encoding") == "gzip") is packed
    assert "Sec-Fetch-Site" in analyst.page.headers["vary"]
    del analyst.client.headers["Accept-Encoding"]
    await analyst.open("/console/globex")
    assert "content-encoding" not in analyst.page.headers


async def test_a_page_of_a_long_query_is_light(here: Site) -> None:
    await fill(here, *of_globex(200))
    analyst = await browser(here, "globex", "events:read")
    nobody = " ".join(f"NOT user.name:somebody{n}" for n in range(30))
    page = await analyst.open("/console/globex", range="all", q=f"event.outcome:* {nobody}")
    assert analyst.page.status_code == 200, page
    assert len(page) > 150_000
    assert analyst.page.num_bytes_downloaded < 30_000


async def test_another_tenants_pages_do_not_exist(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read", "keys:read", "keys:rotate")
    for tenant in ("globex", "nobody"):
        for path in ("", "/keys", "/events/e1", "?q=user.nam:x"):
            await analyst.open(f"/console/{tenant}{path}")
            assert analyst.page.status_code == 404
            assert "Globex" not in analyst.page.text
        await analyst.open("/console/acme")
        assert (await analyst.press(f"/console/{tenant}/keys/rotate", csrf=analyst.hidden("csrf"))).status_code == 404


async def test_a_slash_at_the_end_is_no_other_page(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read", "keys:read")
    for path, page in (
        ("/console/", "/console/acme"),
        ("/console/acme/?q=a%2Fb", "/console/acme?q=a%2Fb"),
        ("/console/acme/keys//", "/console/acme/keys"),
    ):
        await analyst.open(path)
        assert (analyst.page.status_code, analyst.page.url.raw_path.decode()) == (200, page)
    for path in ("/console/%2F", "/console/acme%2F", "/console/globex/", "/console/nobody/", "/console//nobody/", "/console/acme/none/"):
        await analyst.open(path)
        assert analyst.page.status_code == 404
    assert (await analyst.press("/console/acme/keys/", csrf="x")).status_code == 404


async def test_a_missing_scope_is_named(here: Site) -> None:
    reader = await browser(here, "acme", "keys:read")
    assert reader.page.url.path == "/console/acme/keys"
    assert ">Log</a>" not in reader.page.text
    assert "Rotating needs a token with the scope" in reader.page.text
    csrf = reader.hidden("csrf")
    assert "events:read" in await reader.open("/console/acme")
    assert reader.page.status_code == 403
    assert (await reader.press("/console/acme/keys/rotate", csrf=csrf)).status_code == 403


async def test_a_search_shows_events_histogram_and_top_values_and_is_audited(here: Site) -> None:
    events = of_globex(60)
    await fill(here, *events)
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all")
    assert f"<strong>{len(events)}</strong> events" in page
    assert page.count("<tr>") == 1 + 50
    assert 'class="bar"' in page
    action = events[0]["type"].lower()
    page = await analyst.open("/console/globex", range="all", q=f"event.action:{action}")
    assert f"<strong>{sum(event['type'] == events[0]['type'] for event in events)}</strong> event" in page
    await here.settled()
    found = (await here.operator.get("/v1/tenants/globex/events", params={"q": "event.action:events_searched"})).json()["events"]
    assert found[0]["idp"]["q"] == f"event.action:{action}"
    assert found[0]["idp"]["via"] == "console"
    assert found[0]["user.id"].startswith("token:")


async def test_paging_shows_every_event_once_and_is_one_search(here: Site) -> None:
    events = of_globex(120)
    await fill(here, *events)
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all")
    shown = re.findall(r'href="/console/globex/events/([^"]+)"', page)
    while older := re.search(r'href="([^"]+)" rel="next"', page):
        page = await analyst.open(html.unescape(older[1]))
        shown += re.findall(r'href="/console/globex/events/([^"]+)"', page)
    assert sorted(shown) == sorted(event["id"] for event in events)
    await here.settled()
    audited = await here.operator.get("/v1/tenants/globex/events/counts", params={"q": "event.action:events_searched"})
    assert audited.json()["total"] == 2  # the first page after signing in, and this search


async def test_a_mistake_is_shown_where_it_is(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    page = await analyst.open("/console/acme", q="login user.nam:x")
    assert analyst.page.status_code == 400
    assert "did you mean `user.name`?" in page
    assert "login <mark>u</mark>ser.nam:x" in page
    assert 'value="login user.nam:x"' in page
    assert "a AND<mark>" in await analyst.open("/console/acme", q="a AND")
    assert "`yesterday` is not a date" in await analyst.open("/console/acme", since="yesterday")
    assert "does not belong to this search" in await analyst.open("/console/acme", after="x")


async def test_an_empty_result_says_so_and_how_to_go_on(here: Site) -> None:
    await fill(here, *of_globex(1))
    analyst = await browser(here, "globex", "events:read")
    assert "Nothing matches" in await analyst.open("/console/globex", q="nothing", range="24h")
    assert "tenant_created" not in await analyst.open("/console/globex", range="all")
    assert "tenant_created" in await analyst.open("/console/globex", own="1", range="all")


async def test_hostile_events_are_text(here: Site) -> None:
    name = "<script>alert(1)</script>\x1b[31m\u202ex"
    event = {**of_globex(1)[0], "id": "../a?b#<i>", "details": {"username": name, "long": "y" * 500_000}}
    await fill(here, event)
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="all")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<i>ESC</i>[31m<i>RLO</i>x" in page
    link = html.unescape(next(iter(re.findall(r'href="(/console/globex/events/[^"]+)"', page))))
    page = await analyst.open(link)
    assert analyst.page.status_code == 200
    assert "y" * 500_000 in page
    assert "\\u001b[31m\\u202ex" in page
    await here.settled()
    read = (await here.operator.get("/v1/tenants/globex/events", params={"q": "event.action:event_read"})).json()["events"]
    assert read[0]["idp"]["event.id"] == "../a?b#<i>"


async def test_an_unknown_event_is_a_page_too(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    assert "no such event" in await analyst.open("/console/acme/events/none")
    assert analyst.page.status_code == 404


async def test_a_rotation_before_its_time_changes_nothing_and_says_when(here: Site) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    assert "The standby is not due" in team.page.text
    before = (await here.operator.get("/v1/tenants/acme/keys")).json()
    page = (await team.press("/console/acme/keys/rotate", csrf=team.hidden("csrf"), expects=team.hidden("expects"))).text
    standby = next(key for key in before["keys"] if key["state"] == "pre-activation")
    assert f"the standby takes over on {standby['activates_at'][:19].replace('T', ' ')}Z" in page
    assert (await here.operator.get("/v1/tenants/acme/keys")).json() == before
    assert "takes over on" not in await team.open("/console/acme/keys")


async def test_a_rotation_that_is_due_is_done_once(here: Site) -> None:
    policy = {"publish_ahead": "PT1.001S", "jwks_max_age": "PT1S", "clock_skew": "PT0S"}
    assert (await here.operator.put("/v1/tenants/acme/keys/policy", json=policy)).status_code == 200
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    while "Rotate now" not in team.page.text:  # within a second
        await team.open("/console/acme/keys")
    standby = next(
        key["kid"] for key in (await here.operator.get("/v1/tenants/acme/keys")).json()["keys"] if key["state"] == "pre-activation"
    )
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects")}
    page = (await team.press("/console/acme/keys/rotate", **form)).text
    assert f"Done: key {standby} signs every new token now." in page
    again = await team.press("/console/acme/keys/rotate", **form)
    assert again.status_code == 409
    assert "nothing was done" in again.text
    await team.open("/console/acme/keys/rotate")
    assert (team.page.status_code, team.page.url.path) == (200, "/console/acme/keys"), "loaded again"
    keys = (await here.operator.get("/v1/tenants/acme/keys")).json()["keys"]
    assert next(key["kid"] for key in keys if key["state"] == "active") == standby


async def test_the_console_is_no_part_of_the_api_description(here: Site) -> None:
    assert not [path for path in (await here.operator.get("/openapi.json")).json()["paths"] if path.startswith("/console")]
