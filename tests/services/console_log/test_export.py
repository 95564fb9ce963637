"""Exports of what a page of the log shows."""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from services.events.slots import Slots
from tests.platforms import Site
from tests.services.console_browser import browser, fill, of_globex
from tests.services.console_log.globex_log import exports, found, login


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
