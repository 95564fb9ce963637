"""Pages, rendered from their view models: hostile values stay text, and links lead where they say."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console import assets
from dashboards.console.asked import Asked, condition
from dashboards.console.event_page import EventPage
from dashboards.console.frame import HOME, Frame, event_path, local, log_path, sections
from dashboards.console.histogram import chart
from dashboards.console.log_page import TOP_FIELDS, LogPage, Problem, Top
from dashboards.console.neighbours import Neighbours, shared
from dashboards.console.plain_pages import ContinuePage, SignInPage, TenantsPage, TroublePage
from dashboards.console.render import Page, render
from dashboards.console.rows import Row
from dashboards.console.times import MAX_BARS
from services.api.console_log import ROWS
from streams.errors import QueryError
from streams.query.parser import parse
from streams.query.tree import And, Not, Or, Term, Words

NOW = 1_795_452_710_932
HOSTILE = "\"'><script>alert(1)</script>\x1b[31m\u202e<img src=x onerror=alert(2)>{{ 7*191 }}"
EVENT = {
    "@timestamp": "2026-11-23T16:51:50.932Z",
    "event.id": HOSTILE,
    "event.action": HOSTILE,
    "event.outcome": HOSTILE,
    "event.reason": HOSTILE,
    "user.name": HOSTILE,
    "source.ip": HOSTILE,
    "client.id": HOSTILE,
    "tags": [HOSTILE],
    HOSTILE: HOSTILE,
    "idp": {HOSTILE: [HOSTILE]},
}
FRAME = Frame(HOSTILE, "csrf-token", operator=True, tenant="acme", tenant_name=HOSTILE, sections=sections("acme", events=True, keys=True))
ASKED = Asked("acme", HOSTILE, "24h", HOSTILE, HOSTILE, columns=HOSTILE)
CHOSEN = (f"idp.{HOSTILE}", "user.name", "event.reason")


class Read(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.scripted = ""
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data
        self.scripted += data if self.tags and self.tags[-1] == "script" else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


PAGES: list[Page] = [
    LogPage(
        asked=ASKED,
        now=NOW,
        rows=(Row.of("acme", EVENT),),
        chart=chart(NOW - 1000, NOW, {NOW // 1000 * 1000: 2}, {NOW // 1000 * 1000: 1}),
        tops=(Top.of(ASKED, "user.name", [(HOSTILE, 2), ("x" * 1_000_000, 1)]),),
        older="/console/acme?after=x",
        behind=True,
        live=ASKED.tail("0000000000100001"),
        fixed=ASKED.path(since=HOSTILE),
    ),
    LogPage(asked=ASKED, now=NOW, columns=CHOSEN, rows=(Row.of("acme", EVENT, CHOSEN),), later=True),
    LogPage(asked=ASKED, now=NOW, problem=Problem.of(QueryError(HOSTILE, position=3, hint=HOSTILE), HOSTILE)),
    LogPage(asked=ASKED, now=NOW),
    LogPage(asked=Asked("acme"), now=NOW, silent=True),
    EventPage.of("acme", EVENT, NOW, tuple(Neighbours.of("acme", EVENT, one, [EVENT], [EVENT]) for one in shared(EVENT))),
    EventPage.of("acme", EVENT, NOW, trouble=HOSTILE),
    SignInPage(HOSTILE, HOSTILE),
    TenantsPage(NOW, (), HOSTILE),
    TroublePage(404, HOSTILE, HOSTILE, HOME),
    ContinuePage(HOSTILE),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.template}")
def test_hostile_values_are_text_on_every_page(page: Page) -> None:
    html = render(page, FRAME)
    read = Read(html)
    assert not read.scripted.strip()
    assert all(name != "onerror" and not name.startswith("on") and name != "style" for _, name, _ in read.attributes)
    assert all(
        value.startswith(assets.PREFIX)
        for tag, name, value in read.attributes
        if tag in {"script", "img", "link"} and name in {"src", "href"}
    )
    assert read.tags.count("script") == sum((tag, name) == ("script", "src") for tag, name, _ in read.attributes)
    assert not set("\x1b\u202e") & set(read.text)
    assert "1337" not in html
    assert len(html) < 150_000


def test_the_page_of_a_large_event_is_cut_and_says_so() -> None:
    unseen = "\u200b" * 300_000
    event = {**EVENT, "message": unseen, "user.name": unseen, "idp": {"list": [[[[0] * 100_000]]]}}
    page = EventPage.of("acme", event, NOW)
    html = render(page, FRAME)
    assert 0 < html.count("<i>ZWSP</i>") <= 20_500
    assert html.count("300,000 characters") == 2
    assert len(html) < 1_000_000


def test_the_first_page_of_a_full_log_is_light_with_all_its_files() -> None:
    bars, length = {NOW - at * 600_000: 70_000 + at for at in range(MAX_BARS)}, 600_000
    counts = {at // length * length: count for at, count in bars.items()}
    event = {
        **EVENT,
        "event.id": "7d9e31cf-bbed-4a2e-9ff6-1fd70b9f5136",
        "event.action": "introspect_token_error",
        "event.outcome": "failure",
    }
    event |= {
        "event.reason": "invalid_user_credentials",
        "user.name": "user001@globex.example",
        "source.ip": "2001:db8:e::3ee",
        "client.id": "partner-app",
    }
    asked = Asked("globex", range="24h")
    page = LogPage(
        asked=asked,
        now=NOW,
        rows=(Row.of("globex", event),) * ROWS,
        chart=chart(min(counts), max(counts), counts, {at: count // 2 for at, count in counts.items()}),
        tops=tuple(Top.of(asked, field, [(f"introspect_token_error{n}", 70_000) for n in range(6)]) for field in TOP_FIELDS),
        older=asked.path(after="x" * 80),
        live=asked.tail("0000000000100001"),
        fixed=asked.path(since="2026-11-23T16:51:50.932Z", until="2026-11-23T16:51:50.932Z"),
    )
    assert page.chart is not None
    assert len(page.chart.bars) == MAX_BARS
    html = render(page, FRAME).encode()
    files = {value.removeprefix(assets.PREFIX) for _, _, value in Read(html.decode()).attributes if value.startswith(assets.PREFIX)}
    assert len(html) + sum(len(assets.ASSETS[name].body) for name in files) < 150_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.template}")
def test_every_page_has_a_language_a_title_one_heading_and_a_main_part(page: Page) -> None:
    html = render(page, FRAME)
    read = Read(html)
    assert ("html", "lang", "en") in read.attributes
    assert [read.tags.count(tag) for tag in ("h1", "main")] == [1, 1]
    assert html.partition("</head>")[0].count("<title>") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.template}")
def test_every_form_that_changes_something_carries_the_csrf_token(page: Page) -> None:
    html = render(page, FRAME)
    forms = [
        form for form in html.split("<form")[1:] if 'method="post"' in form.partition(">")[0] and "sign-in" not in form.partition(">")[0]
    ]
    assert forms
    assert all('name="csrf" value="csrf-token"' in form.partition("</form>")[0] for form in forms)


def test_an_event_shows_the_whole_of_a_long_value_and_the_beginning_of_a_huge_one() -> None:
    assert "x" * 10_000 + "</bdi>" in render(EventPage.of("acme", {"user.name": "x" * 10_000, "idp": {}}, NOW), FRAME)
    assert "x" * 10_000 + "…</bdi>" in render(EventPage.of("acme", {"user.name": "x" * 1_000_000, "idp": {}}, NOW), FRAME)


def test_a_problem_marks_its_place() -> None:
    with pytest.raises(QueryError) as raised:
        parse("login user.nam:x", now=0)
    problem = Problem.of(raised.value, "login user.nam:x")
    assert problem == Problem("unknown field `user.nam`", "did you mean `user.name`?", "login ", "u", "ser.nam:x")


def test_a_problem_at_the_end_has_a_place_too() -> None:
    assert Problem.of(QueryError("ends too early", position=5), "a AND").here == "\N{OPEN BOX}"


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_condition_means_exactly_its_value(value: str) -> None:
    assert parse(condition("user.name", value), now=0) == Term("user.name", value)


def test_narrowing_keeps_the_meaning_of_what_was_asked() -> None:
    path = Asked("acme", "a OR b", "7d").narrowed("event.action", "login")
    assert path is not None
    asked = parse_qs(urlsplit(path).query)
    assert asked["range"] == ["7d"]
    assert parse(asked["q"][0], now=0) == And((Or((Words(None, ("a",)), Words(None, ("b",)))), Term("event.action", "login")))


def test_our_own_events_are_left_out_unless_they_are_asked_for() -> None:
    hidden = Not(Term("event.provider", "tenantry"))
    assert parse(Asked("acme").narrow, now=0) == hidden
    assert parse(Asked("acme", "login").narrow, now=0) == And((Words(None, ("login",)), hidden))
    assert Asked("acme", "login", own=True).narrow == "login"
    assert Asked("acme", "event.provider:tenantry").narrow == "event.provider:tenantry"


@pytest.mark.parametrize("target", ["/console", "/console/acme", "/console/acme?q=a%20b&since=now-1h", "/console?find=x"])
def test_a_page_of_ours_is_a_place_to_go_on_to(target: str) -> None:
    assert local(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://evil.example/console",
        "//evil.example",
        "/\\evil.example",
        "/console\\..\\x",
        "/consoles",
        "/console/\t/x",
        "/console/\nx",
        "javascript:x",
    ],
)
def test_no_other_place_is(target: str) -> None:
    assert local(target) == HOME


@pytest.mark.parametrize("event_id", ["a/b", "..", "a/../b", "?#%", "é\u202e", "a\nb"])
def test_the_path_of_an_event_survives_a_browser(event_id: str) -> None:
    path = urlsplit(event_path("acme", event_id)).path
    assert not {".", ".."} & set(path.split("/"))
    assert path.isascii()


def test_empty_parameters_are_left_out_of_links() -> None:
    assert log_path("acme", q="", range="7d") == "/console/acme?range=7d"


def test_every_file_of_ours_is_served_under_a_name_that_changes_with_it() -> None:
    names = {file.name for file in files("dashboards.console").joinpath("static").iterdir()}
    assert {assets.url(name).removeprefix(assets.PREFIX) for name in names} == set(assets.ASSETS)


def test_the_files_of_ours_need_nothing_from_elsewhere() -> None:
    for name, asset in assets.ASSETS.items():
        text = asset.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text, name
        assert "@import" not in text, name
