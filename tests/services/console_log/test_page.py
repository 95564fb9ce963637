"""The page of a log: whose it is, its columns, links with fixed times, and where there is a live tail."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from tests.platforms import Site
from tests.services.console_browser import Browser, browser, fill, of_globex
from tests.services.console_log.globex_log import exports, login

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


@pytest.mark.parametrize(
    ("field", "given", "says"),
    [
        ("since", {"since": "foo"}, "`foo` is not a date"),
        ("until", {"since": "now-1h", "until": "2026-11-23T10:00"}, "add a zone"),
        ("since", {"since": "now", "until": "now-1h"}, "is not before"),
        ("q", {"q": "user.nam:x", "since": "now-1h"}, "did you mean `user.name`?"),
    ],
)
async def test_what_is_wrong_is_said_where_it_is(here: Site, field: str, given: dict[str, str], says: str) -> None:
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", **given)
    assert analyst.page.status_code == 400
    [marked] = re.findall(r"<input[^>]*aria-invalid[^>]*>", page)
    assert f'name="{field}"' in marked
    assert 'aria-describedby="problem"' in marked
    box, times = page.index('name="q"'), page.index('class="exact"')
    assert says in page
    at = page.index('id="problem"')
    assert box < at < page.index('class="ranges"') if field == "q" else page.index('class="ranges"') < at < times


async def test_a_range_that_is_none_is_said_beside_those_that_there_are(here: Site) -> None:
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", range="1y", q="login")
    assert analyst.page.status_code == 400
    assert "there is no `1y`" in page
    assert '<nav aria-label="Time" aria-describedby="problem">' in page
    assert 'href="/console/globex?q=login&amp;range=7d"' in page
    assert 'name="range"' not in page, "the next search does without it"
    await analyst.open("/console/globex/log/export", range="1y", format="ndjson")
    assert analyst.page.status_code == 400
    assert (await analyst.client.get("/console/globex?range=1y&since=now-1h")).status_code == 200, "times that are given go before it"


@pytest.mark.parametrize(
    ("given", "says", "chosen"),
    [
        ("user.nam,user.id", "unknown field `user.nam`", ["user.id"]),
        (",".join(f"idp.n{number}" for number in range(9)), "9 are more", [f"idp.n{number}" for number in range(9)]),
    ],
)
async def test_columns_that_cannot_be_are_mended_on_the_page(here: Site, given: str, says: str, chosen: list[str]) -> None:
    analyst = await browser(here, "globex", "events:read")
    page = await analyst.open("/console/globex", columns=given, range="all")
    assert analyst.page.status_code == 400
    assert says in page
    menu = page[page.index("<summary>Columns</summary>") :]
    assert re.findall(r'name="column" value="([^"]+)" checked', menu) == chosen
    assert '<fieldset aria-describedby="problem">' in menu
    assert 'href="/console/globex?range=all">The usual ones</a>' in menu
    assert "aria-invalid" not in page
    assert "<summary>Export</summary>" not in page


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
