"""Signing in and out, and two tenants in the same browser: neither ever sees a page of the other, whatever the browser has kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, Playwright

from tests.browser.conftest import NOWHERE
from tests.browser.console import DESK_LIGHT, Console
from tests.browser.served import Tenantry

SCOPES = ("events:read", "keys:read", "keys:rotate")
PAGES = ("/console/globex?range=all", "/console/globex/keys")

RECORD = """window.addEventListener("pageshow", (event) => {
  if (event.persisted) sessionStorage.kept = `${sessionStorage.kept ?? ""} ${document.documentElement.hidden ? "unseen" : "seen"}`;
});"""
"""Notes of each page that comes back alive whether anybody sees it before it is asked for again."""


def shows(page: Page, tenant: str) -> bool:
    """Whether it is a page of this tenant: each of them says its name. Who asks for a page by its id is told that id."""
    return tenant.capitalize() in f"{page.title()}\n{page.locator('body').inner_text()}"


def minted(console: Console, tenant: str) -> str:
    """A token of the tenant; its name is free again after the test."""
    for token in console.api("GET", f"/v1/tenants/{tenant}/tokens").json()["tokens"]:
        console.api("DELETE", f"/v1/tenants/{tenant}/tokens/{token['id']}")
    return console.token(tenant, *SCOPES, name="somebody")


def browse(console: Console) -> None:
    """Signs in as Globex, and leaves pages of its own behind in the browser."""
    console.sign_in(minted(console, "globex"))
    for path in PAGES:
        console.go(path)
        assert shows(console.page, "globex")


def walk(page: Page) -> Iterator[None]:
    """Goes back to the first page that this tab has shown, and forth to the last one again, by the browser's buttons."""
    for move in (page.go_back, page.go_forward):
        while move() is not None:
            yield


def test_a_visitor_signs_in_sees_their_own_and_signs_out(console: Console) -> None:
    console.go("/console/globex/keys")
    assert console.page.url.startswith(f"{console.url}/console?next="), "nobody is signed in"
    console.check()
    console.page.get_by_label("Token").fill("tnt_wrong")
    console.page.keyboard.press("Enter")
    console.page.get_by_role("alert").filter(has_text="not valid").wait_for()
    console.check()
    console.page.get_by_label("Token").fill(minted(console, "globex"))
    console.page.keyboard.press("Enter")
    console.page.wait_for_url(f"{console.url}/console/globex/keys")
    console.check()
    console.go("/console/hooli", 404)
    assert not shows(console.page, "hooli")
    console.check()
    console.page.get_by_role("button", name="Sign out").click()
    console.page.get_by_label("Token").wait_for()
    assert not shows(console.page, "globex")
    console.check()


def test_an_operator_sees_all_tenants_and_finds_one(console: Console) -> None:
    console.sign_in(console.operator)
    assert shows(console.page, "globex")
    console.check()
    console.page.get_by_role("searchbox").fill("hoo")
    console.page.keyboard.press("Enter")
    console.page.wait_for_url("**find=hoo")
    assert shows(console.page, "hooli")
    assert not shows(console.page, "globex")
    console.page.get_by_role("link", name="Hooli", exact=True).click()
    console.page.wait_for_url(f"{console.url}/console/hooli*")


def test_going_back_after_signing_out_shows_nothing(console: Console) -> None:
    browse(console)
    console.page.get_by_role("button", name="Sign out").click()
    console.page.get_by_label("Token").wait_for()
    shown = [shows(console.page, "globex") for _ in walk(console.page)]
    assert len(shown) > 2 * len(PAGES)
    assert not any(shown)


def test_signing_in_as_another_tenant_never_shows_the_first_ones_pages(console: Console) -> None:
    browse(console)
    console.sign_in(minted(console, "hooli"))
    assert shows(console.page, "hooli")
    shown = [shows(console.page, "globex") for _ in walk(console.page)]
    assert len(shown) > 2 * len(PAGES)
    assert not any(shown)


def test_signing_in_over_another_session_ends_it(console: Console) -> None:
    waiting = console.context.new_page()
    waiting.goto(f"{console.url}/console")
    browse(console)
    waiting.get_by_label("Token").fill(minted(console, "hooli"))
    waiting.get_by_role("button", name="Sign in").click()
    waiting.get_by_role("button", name="Sign out").wait_for()
    for path in PAGES:
        console.go(path, 404)
        assert not shows(console.page, "globex")


def test_pages_that_were_left_open_do_nothing_more(console: Console) -> None:
    browse(console)
    path = "/console/globex/keys"
    forms = console.page.locator("form[method=post]").count()
    assert forms >= 2, "to rotate, and to sign out"
    left = [opened(console, path) for _ in range(forms)]
    before = console.api("GET", "/v1/tenants/globex/keys").json()
    console.sign_in(minted(console, "hooli"))
    for number, page in enumerate(left):
        with page.expect_navigation() as moved:
            page.locator("form[method=post]").nth(number).evaluate("form => form.submit()")
        assert moved.value.status in {403, 404}
        assert not shows(page, "globex")
    assert console.api("GET", "/v1/tenants/globex/keys").json() == before
    console.go("/console/hooli/keys")
    assert shows(console.page, "hooli"), "the form that signs out was of the other session, too"


def opened(console: Console, path: str) -> Page:
    page = console.context.new_page()
    page.goto(console.url + path)
    return page


def test_pages_that_the_browser_keeps_alive_are_asked_for_again(playwright: Playwright, chromium: Path, service: Tenantry) -> None:
    """With the back/forward cache, which Playwright turns off: a page in it would come back as it was, and the service not be asked."""
    with (
        playwright.chromium.launch(
            executable_path=chromium, args=[NOWHERE], ignore_default_args=["--disable-back-forward-cache"]
        ) as keeping,
        closing(Console(keeping, DESK_LIGHT, service.url, service.operator)) as console,
    ):
        console.context.add_init_script(RECORD)
        browse(console)
        back(console.page)
        back(console.page)
        assert set(console.page.evaluate("sessionStorage.kept").split()) == {"unseen"}, "and some were kept: else this shows nothing"
        browse(console)
        console.page.get_by_role("button", name="Sign out").click()
        console.page.get_by_label("Token").fill(minted(console, "hooli"))
        console.page.get_by_role("button", name="Sign in").click()
        console.page.get_by_role("button", name="Sign out").wait_for()
        for _ in range(2 * len(PAGES)):
            back(console.page)
            assert not shows(console.page, "globex")
        assert set(console.page.evaluate("sessionStorage.kept").split()) == {"unseen"}
        console.quiet()


def back(page: Page) -> None:
    """Goes back, and returns when the service has been asked for the page, and has answered."""
    before = page.evaluate("Date.now()")
    with page.expect_response(lambda response: response.request.is_navigation_request() and response.status != 303):
        page.evaluate("setTimeout(() => history.back())")
    # The page that was kept has loaded long ago: it is the one that was asked for anew that is waited for.
    page.wait_for_function("before => performance.timeOrigin >= before && document.readyState === 'complete'", arg=before)
