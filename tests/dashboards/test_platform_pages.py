"""The platform's pages and the page of a brand, from plain facts: thousands of tenants, hostile values, every reason."""

from __future__ import annotations

import pytest

from dashboards.console.brand_colours import BrandColours
from dashboards.console.brand_page import BrandPage, previews
from dashboards.console.calendar_page import HEIGHT, CalendarPage, EntryView
from dashboards.console.dead_letters_page import MEANS, DeadLettersPage, GroupView, LettersPage, LetterView, ReplayView
from dashboards.console.frame import Brand, Frame
from dashboards.console.health_page import HealthPage, Part
from dashboards.console.plain_pages import LookingPage
from dashboards.console.platform_frame import rate, size
from dashboards.console.platform_page import PER_PAGE, PlatformPage, TenantRow
from dashboards.console.render import Page, render
from keyvault.forecast import Kind
from streams.dead_letters import Reason
from tests.dashboards.test_pages import HOSTILE, NOW, Read

DAY = 86_400_000
FRAME = Frame(
    HOSTILE, "csrf-token", operator=True, brand=Brand(HOSTILE, "/console/acme/brand/brand.0.css", "/console/acme/brand/logo.0.png")
)


def row(number: int, **more: object) -> TenantRow:
    facts = {"documents": number * 7 % 1000, "bytes": number, "per_minute": number % 13 / 10, "waiting": 0}
    return TenantRow(**{"id": f"tenant-{number:05}", "name": f"Tenant {number}", "isolation": "separate", **facts, **more})  # type: ignore[arg-type]


def table(rows: list[TenantRow], *, find: str = "", sort: str = "", page: int = 1) -> PlatformPage:
    return PlatformPage.of(rows, NOW, at=NOW - 2000, window=300_000, troubles=(), find=find, sort=sort, page=page)


GROUP = GroupView(reason=HOSTILE, count=3, newest=NOW, message=HOSTILE, returns=True)
LETTER = LetterView.of("0-1", NOW, HOSTILE, source=HOSTILE, tenant=HOSTILE, length=5000, text=HOSTILE, cut=False)
ENTRY = EntryView.of("acme", NOW, Kind.ACTIVATE, kid=HOSTILE, overdue=True, trouble=HOSTILE)
PAGES: list[Page] = [
    table([row(1, name=HOSTILE), row(2, documents=None, per_minute=None, waiting=None)], find=HOSTILE),
    table([row(1, name=HOSTILE), row(2, documents=None, per_minute=None, waiting=None)]),
    table([]),
    PlatformPage.of([], NOW, at=NOW, window=1000, troubles=[HOSTILE], find="", sort="", page=1),
    DeadLettersPage(now=NOW),
    DeadLettersPage(now=NOW, trouble=HOSTILE),
    DeadLettersPage(
        now=NOW,
        waiting=9,
        read=3,
        whole=False,
        groups=(GROUP,),
        replay=ReplayView.of(HOSTILE, NOW, total=9, revived=1, kept=1, cut=1, running=True),
    ),
    DeadLettersPage(
        now=NOW, groups=(GROUP,), replay=ReplayView.of(HOSTILE, NOW, total=9, revived=1, kept=1, cut=1, running=False, failure=HOSTILE)
    ),
    LettersPage(now=NOW, group=GROUP, letters=(LETTER,)),
    CalendarPage.of(NOW, rings=1, days=[(NOW // DAY * DAY, {Kind.ACTIVATE: 2})], opened=0, entries=[ENTRY], overdue=[ENTRY]),
    CalendarPage.of(NOW, rings=0, days=[(NOW // DAY * DAY, {})], opened=None, entries=[], overdue=[]),
    HealthPage.of(
        NOW,
        [Part(name="event log", ok=False, where=HOSTILE, says=HOSTILE), Part(name="key store", ok=True, where="", says=HOSTILE)],
        lag=None,
        trouble={"router": HOSTILE},
        names=("router", "index"),
        here=False,
        behind=2,
    ),
    LookingPage("Tenants", HOSTILE, "/console/-/platform"),
    BrandPage(tenant="acme", display_name=HOSTILE, name=HOSTILE, accent=HOSTILE, trouble=HOSTILE, has_logo=True),
    BrandPage(
        tenant="acme", display_name=HOSTILE, logo="data:image/png;base64,AA==", logo_size=(20, 20), previews=previews(BrandColours())
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.template}")
def test_hostile_values_are_text_and_pages_are_whole(page: Page) -> None:
    html = render(page, FRAME)
    read = Read(html)
    assert "<script>alert" not in html
    assert all(not name.startswith("on") and name != "style" for _, name, _ in read.attributes)
    addresses = [value for tag, name, value in read.attributes if tag in {"script", "img", "link"} and name in {"src", "href"}]
    assert all(value.startswith(("/console/-/static/", "/console/acme/brand/")) for value in addresses)
    assert not set("\x1b\u202e") & set(read.text)
    assert "1337" not in html
    assert [read.tags.count(tag) for tag in ("h1", "main")] == [1, 1]
    forms = [form for form in html.split("<form")[1:] if 'method="post"' in form.partition(">")[0]]
    assert forms
    assert all('name="csrf" value="csrf-token"' in form.partition("</form>")[0] for form in forms)
    assert len(html) < 150_000


def test_ten_thousand_tenants_are_a_page_at_a_time_and_every_one_is_on_one_page() -> None:
    rows = [row(number) for number in range(10_000)]
    for sort in ("", "size", "rate", "lag"):
        first = table(rows, sort=sort)
        assert (len(first.rows), first.pages, first.before) == (PER_PAGE, 200, None)
        assert len(render(first, FRAME)) < 100_000
        shown = [one.id for page in range(1, 201) for one in table(rows, sort=sort, page=page).rows]
        assert sorted(shown) == [one.id for one in rows]
    sizes = [one.documents or 0 for one in table(rows, sort="size").rows]
    assert sizes == sorted(sizes, reverse=True)
    assert table(rows, page=10**9).page == 200
    found = table(rows, find="TENANT 1", sort="size", page=2)
    assert (found.found, found.total) == (1111, 10_000)
    assert "find=TENANT+1" in (found.before or "")
    assert "sort=size" in (found.before or "")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "none"),
        ({"backlog": True}, "being caught up"),
        ({"waiting": 1, "waiting_since": NOW - 5000}, "1 event, the oldest from 5 s ago"),
        ({"waiting": 3000, "waiting_exact": False, "waiting_since": NOW - 5000}, "at least 3,000 events, the oldest from 5 s ago"),
        ({"waiting_exact": False}, "more than was looked at"),
        ({"waiting": None}, "not known"),
    ],
)
def test_lag_is_in_words(facts: dict[str, object], words: str) -> None:
    assert row(1, **facts).lag(NOW) == words


def test_who_is_furthest_behind_comes_first() -> None:
    rows = [row(1), row(2, waiting=5), row(3, backlog=True), row(4, waiting_exact=False), row(5, waiting=7)]
    assert [one.id[-1] for one in table(rows, sort="lag").rows] == ["4", "3", "5", "2", "1"]
    assert table(rows).behind == 4


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 << 20, "200 MiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_are_short(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(("per_minute", "words"), [(0, "0"), (0.04, "< 0.1"), (2.34, "2.3"), (12_345.6, "12,346")])
def test_rates_are_short(per_minute: float, words: str) -> None:
    assert rate(per_minute) == words


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    assert set(MEANS) == set(Reason)
    assert all(means and advice for means, advice in MEANS.values())


def test_bars_stay_within_the_picture_and_the_smallest_shows() -> None:
    counts = [{Kind.PREPARE: 10_000, Kind.ACTIVATE: 10_000, Kind.RETIRE: 10_000}, {Kind.PREPARE: 1}, {}]
    page = CalendarPage.of(
        NOW, rings=10_000, days=[(number * DAY, one) for number, one in enumerate(counts)], opened=1, entries=[], overdue=[]
    )
    parts = [part for day in page.days for part in day.parts]
    assert all(part.y >= 0 and part.y + part.height <= HEIGHT for part in parts)
    assert min(part.height for part in parts) >= 3
    assert page.days[2].parts == ()
    assert page.days[2].label.endswith("nothing is due")
    assert page.days[0].label == "Thursday 1970-01-01: 30,000 changes: 10,000 prepared, 10,000 activated, 10,000 retired"
