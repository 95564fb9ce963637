"""Operators in front of the platform's pages: tenants, dead letters and their replay, the calendar, health."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid

from playwright.sync_api import expect

from tests.browser.console import Console
from tests.browser.served import Tenantry
from tests.daemon import PATIENCE
from tests.processes import argv


def ingest(service: Tenantry, *events: dict[str, object]) -> None:
    """Sends events as an operator at the service's machine does, and returns when they are placed, or are dead letters."""
    lines = "\n".join(map(json.dumps, events)).encode()
    command = argv("ingest", "--source", "keycloak", "--wait", "-")
    ran = subprocess.run(command, env=os.environ | service.environment(), input=lines, check=False, timeout=PATIENCE, capture_output=True)
    assert ran.returncode in {0, 3}, ran.stderr


def load_until(console: Console, path: str, text: str) -> None:
    """Loads the page until it shows the text: what the platform's pages show is kept for some seconds."""
    deadline = time.monotonic() + PATIENCE
    while text not in console.page.content():
        assert time.monotonic() < deadline, f"{path} does not show {text}"
        console.page.goto(console.url + path)


def realm_event(event_id: str, realm_id: str) -> dict[str, object]:
    return {"id": event_id, "time": 1_795_000_000_000, "type": "LOGIN", "realmId": realm_id}


def test_tenants_are_found_and_sorted_by_keyboard(console: Console) -> None:
    page = console.page
    console.sign_in(console.operator)
    page.get_by_role("link", name="Platform").click()
    console.check()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tenants at a glance")
    page.keyboard.press("/")
    page.keyboard.type("glob")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("globex")
    console.go("/console/-/platform?sort=size")
    expect(page.get_by_label("Sort by").get_by_role("link", name="Size")).to_have_attribute("aria-current", "true")
    console.check()
    console.go("/console/-/platform?find=nobody-at-all")
    expect(page.get_by_text("No tenant is called that")).to_be_visible()
    console.check()


def test_dead_letters_come_back_by_the_button(console: Console, service: Tenantry) -> None:
    page, realm_id = console.page, str(uuid.uuid4())
    event_id = f"late-{realm_id}"
    tenant = console.create(f"letters-{realm_id[:8]}")
    ingest(service, realm_event(event_id, realm_id))
    console.sign_in(console.operator)
    load_until(console, "/console/-/platform/dead-letters/unknown_tenant_source", event_id)
    console.go("/console/-/platform/dead-letters")
    console.check()
    group = page.locator(".groups li").filter(has_text="unknown_tenant_source")
    group.get_by_role("link", name="Samples").click()
    expect(page.get_by_text(event_id).first).to_be_visible()
    console.check()
    source = {"provider": "keycloak", "realm_id": realm_id, "realm": tenant}
    assert console.api("PUT", f"/v1/tenants/{tenant}", json={"display_name": "Late", "sources": [source]}).status_code == 200
    console.go("/console/-/platform/dead-letters")
    page.get_by_role("button", name="Replay the dead letters").click()
    expect(page.get_by_text("is over.")).to_be_visible()
    console.settled()
    found = console.api("GET", f"/v1/tenants/{tenant}/events", params={"q": f'event.id:"{event_id}"'}).json()["events"]
    assert [event["event.id"] for event in found] == [event_id]
    console.check()


def test_the_calendar_shows_the_day_that_is_chosen(console: Console) -> None:
    page = console.page
    tenant = console.create(f"weekly-{uuid.uuid4().hex[:8]}")
    assert console.api("PUT", f"/v1/tenants/{tenant}/keys/policy", json={"rotation_period": "P7D"}).status_code == 200
    console.sign_in(console.operator)
    console.go("/console/-/platform/calendar")
    console.check()
    page.get_by_text("As a table").click()
    day = page.locator("table.days tbody tr").nth(7).get_by_role("link")
    day.click()
    expect(page.locator("#day")).to_contain_text(":")
    console.check()
    page.get_by_role("link", name="14 weeks").click()
    expect(page.locator("#days")).to_have_text("The next 98 days")
    console.check()


def test_health_is_told_of_each_engine(console: Console) -> None:
    console.sign_in(console.operator)
    console.go("/console/-/platform/health")
    for name in ("Event log", "Search index", "Key store"):
        expect(console.page.get_by_role("heading", name=name)).to_be_visible()
    console.check()


def test_a_tenants_session_finds_none_of_it(console: Console) -> None:
    console.sign_in(console.token("globex", "events:read", name=f"analyst-{uuid.uuid4().hex[:8]}"))
    expect(console.page.get_by_role("link", name="Platform")).to_have_count(0)
    console.go("/console/-/platform", status=403)
    console.check()
