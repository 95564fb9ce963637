"""The log in a browser: completing a query, dragging a range, choosing columns, following a session, exporting, sharing."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.console import Console
from tests.browser.log_page import ALL, OWN, counted, drag, parameters, rows, total, unique


def test_what_is_typed_goes_along_to_other_times(analyst: Console) -> None:
    analyst.go("/console/globex?range=7d&q=login")
    analyst.page.get_by_role("combobox").fill("event.outcome:failure")
    analyst.page.get_by_role("navigation", name="Time").get_by_role("link", name="All").click()
    analyst.page.wait_for_url("**range=all*")
    assert parameters(analyst) == {"range": "all", "q": "event.outcome:failure"}


def test_dragging_over_the_histogram_narrows_the_time(analyst: Console) -> None:
    analyst.go(ALL)
    whole = total(analyst)
    assert whole == counted(analyst)
    drag(analyst, 0.9, 0.4)  # either way
    analyst.page.wait_for_url("**since=*")
    asked = parameters(analyst)
    assert set(asked) == {"since", "until"}
    assert total(analyst) == counted(analyst, since=asked["since"], until=asked["until"]) < whole
    analyst.check()
    analyst.page.go_back()
    expect(analyst.page.locator(".veil")).to_have_count(0)
    assert total(analyst) == whole


def test_a_range_is_chosen_with_the_keyboard(analyst: Console) -> None:
    analyst.go(ALL)
    bars = analyst.page.locator(".chart a")
    last = bars.count() - 1
    bars.nth(last).focus()
    keyboard, said = analyst.page.keyboard, analyst.page.locator("[data-chart-chosen]")
    keyboard.press("Shift+ArrowLeft")
    keyboard.press("Shift+ArrowLeft")
    expect(bars.nth(last - 2)).to_be_focused()
    counts = [int(bars.nth(at).get_attribute("data-count") or 0) for at in range(last - 2, last + 1)]
    expect(said).to_contain_text(f"{sum(counts):,} events")
    analyst.check()
    keyboard.press("Escape")
    expect(said).to_be_empty()
    keyboard.press("Shift+ArrowRight")
    keyboard.press("Enter")
    analyst.page.wait_for_url("**since=*")
    assert total(analyst) == sum(counts[:2])


def test_a_bar_is_still_a_link(analyst: Console) -> None:
    analyst.go(ALL)
    bar = analyst.page.locator(".chart a").last
    count = int(bar.get_attribute("data-count") or 0)
    bar.click()
    analyst.page.wait_for_url("**since=*")
    assert total(analyst) == count


def test_fields_and_values_are_completed(analyst: Console) -> None:
    analyst.go(ALL)
    box, keyboard = analyst.page.get_by_role("combobox", name="Search the log"), analyst.page.keyboard
    options = analyst.page.get_by_role("option")
    box.press_sequentially("event.act")
    expect(options).to_have_count(1)
    expect(box).to_have_attribute("aria-expanded", "true")
    analyst.check()
    keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    chosen = options.first.get_attribute("id")
    expect(box).to_have_attribute("aria-activedescendant", chosen or "")
    keyboard.press("Enter")
    expect(box).to_have_value("event.action:")
    expect(options.filter(has_text="login_error")).to_have_count(1)
    analyst.check()
    box.press_sequentially("login_e")
    expect(options.filter(has_text="logout")).to_have_count(0)
    expect(options.first).to_contain_text("login_error")
    keyboard.press("ArrowDown")
    keyboard.press("Tab")
    expect(box).to_have_value("event.action:login_error ")
    expect(box).to_be_focused()
    keyboard.press("Enter")
    analyst.page.wait_for_url("**q=event.action*")
    assert total(analyst) == counted(analyst, q="event.action:login_error")


def test_completion_can_be_left_alone(analyst: Console) -> None:
    analyst.go(ALL)
    box, keyboard, options = analyst.page.get_by_role("combobox"), analyst.page.keyboard, analyst.page.get_by_role("option")
    box.press_sequentially("event.outcome:fail")
    expect(options).to_have_count(1)
    keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_have_value("event.outcome:fail")
    keyboard.press("ArrowDown")
    expect(options).to_have_count(1)
    options.first.click()
    expect(box).to_have_value("event.outcome:failure ")
    expect(box).to_be_focused()
    box.fill("")
    keyboard.press("ArrowDown")
    options.nth(3).wait_for()
    keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    keyboard.press("ArrowDown")
    expect(box).not_to_have_attribute("aria-activedescendant", "")
    keyboard.press("Tab")
    expect(options).to_have_count(0)


def test_columns_are_chosen_and_shared_by_the_link(analyst: Console) -> None:
    analyst.go(ALL)
    analyst.page.get_by_text("Columns", exact=True).click()
    analyst.check()
    for name in ("source.ip", "client.id"):
        analyst.page.get_by_role("checkbox", name=name).uncheck()
    analyst.page.get_by_role("checkbox", name="session.id").check()
    analyst.page.get_by_label("Of the source's own object").fill("idp.details.auth_method")
    analyst.page.get_by_role("button", name="Show these").click()
    analyst.page.wait_for_url("**columns=*")
    assert parameters(analyst)["columns"] == "event.action,event.outcome,user.name,session.id,idp.details.auth_method"
    expect(rows(analyst).filter(has_text="openid-connect").first).to_be_visible()
    analyst.check()
    colleague = analyst.another()
    colleague.sign_in(analyst.token("globex", "events:read", name=unique("colleague")))
    colleague.page.goto(analyst.page.url)
    assert rows(colleague).all_inner_texts() == rows(analyst).all_inner_texts()


def test_an_event_leads_to_its_session(analyst: Console) -> None:
    q = "event.action:code_to_token AND session.id:* AND source.ip:*"
    [event] = analyst.api("GET", "/v1/tenants/globex/events", params={"q": q, "limit": 1}).json()["events"]
    together = counted(analyst, q=f'session.id:"{event["session.id"]}"')
    assert together > 1
    analyst.go(f"/console/globex/events/{event['event.id']}")
    near = analyst.page.get_by_role("region", name="The same session")
    expect(near.locator("[aria-current=true]")).to_have_count(1)
    assert near.locator("tbody tr").count() == min(together, 11)
    analyst.check()
    near.locator("tbody a").first.click()
    analyst.page.wait_for_url(lambda url: event["event.id"] not in url)
    near.get_by_role("link", name="All of the same session").click()
    analyst.page.wait_for_url("**q=session.id*")
    assert total(analyst) == together


def test_the_export_is_what_the_api_has(analyst: Console) -> None:
    analyst.go(f"{ALL}&q=event.outcome:failure")
    analyst.page.get_by_text("Export", exact=True).click()
    analyst.check()
    for name, kind in (("CSV", "csv"), ("NDJSON", "ndjson")):
        with analyst.page.expect_download() as coming:
            analyst.page.get_by_role("link", name=name, exact=True).click()
        params = {"q": f"event.outcome:failure {OWN}", "format": kind}
        assert coming.value.suggested_filename == f"globex-events.{kind}"
        assert Path(coming.value.path()).read_bytes() == analyst.api("GET", "/v1/tenants/globex/events/export", params=params).content


def test_a_search_is_shared_by_a_link(analyst: Console) -> None:
    analyst.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=analyst.url)
    analyst.go(f"{ALL}&q=login")
    analyst.page.get_by_text("Share", exact=True).click()
    analyst.check()
    copied = []
    for name in ("Copy: This search", "Copy: With the times as they are now"):
        button = analyst.page.get_by_role("button", name=name)
        button.click()
        expect(button).to_have_text("Copied")
        copied.append(analyst.page.evaluate("navigator.clipboard.readText()"))
    assert copied[0] == f"{analyst.url}/console/globex?q=login&range=all"
    before = total(analyst)
    analyst.page.goto(copied[1])
    assert total(analyst) == before
    assert set(parameters(analyst)) == {"q", "until"}
    analyst.page.keyboard.press("Escape")


def test_the_states_of_a_log_that_has_nothing_to_show(console: Console) -> None:
    tenant = console.create(f"empty-{console.view}-{time.monotonic_ns()}")
    console.sign_in(console.operator)
    for path, status, said in (
        (f"/console/{tenant}", 200, "No event from an identity provider yet"),
        ("/console/globex?range=all&q=user.name:nobody", 200, "Nothing matches"),
        ("/console/globex?q=user.nam:x", 400, "did you mean"),
        ("/console/globex?columns=user.nam", 400, "unknown field"),
    ):
        console.go(path, status)
        assert said in console.page.locator("main").inner_text()
        console.check()


def test_the_log_works_without_scripts(console: Console, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False, viewport={"width": console.view.width, "height": console.view.height}) as context:
        page = context.new_page()
        page.goto(f"{console.url}/console")
        page.get_by_label("Token").fill(console.token("globex", "events:read", name=unique("without scripts")))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Search the log").fill("event.action:login_error")
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_url("**q=event.action*")
        assert page.get_by_role("button", name="Live tail").count() == 0
        page.get_by_text("Columns", exact=True).click()
        page.get_by_role("checkbox", name="user.id").check()
        page.get_by_role("button", name="Show these").click()
        page.wait_for_url("**columns=*user.id*")
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as coming:
            page.get_by_role("link", name="NDJSON").click()
        assert Path(coming.value.path()).read_bytes().count(b"\n") > 0
        page.get_by_text("Export", exact=True).click()
        page.locator(".events tbody a").first.click()
        page.wait_for_url("**/events/**")
        expect(page.get_by_role("region", name="The same address")).to_be_visible()
