"""Damaged and hostile events: each is a dead letter with its reason, or is kept with a mark; the events around them arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import REALM_IDS, keycloak
from tests.processes import OWN, Service, ndjson, service

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
TIME = 1_795_000_000_000
YEAR_1, YEAR_9999 = -62_135_596_800_000, 253_402_300_799_000
LATE = {"provider": "keycloak", "realm_id": "11111111-2222-3333-4444-555555555555", "realm": "late"}


def failed(event_id: str | None, username: str = "mallory", **more: Any) -> dict[str, Any]:
    """A failed login in globex."""
    event = {"time": TIME, "type": "LOGIN_ERROR", "realmId": REALM_IDS["globex"], "error": "invalid_user_credentials", **more}
    return {**({"id": event_id} if event_id else {}), **event, "details": {"username": username}}


def raw(event_id: str, username: bytes) -> bytes:
    """A failed login with these very bytes as its username."""
    head = f'{{"id":"{event_id}","time":{TIME},"type":"LOGIN_ERROR","realmId":"{REALM_IDS["globex"]}","error":"invalid_user_credentials",'
    return head.encode() + b'"details":{"username":"' + username + b'"}}'


GOOD = [{"id": f"good-{n}", "time": TIME + n, "type": "LOGIN", "realmId": REALM_IDS["globex"]} for n in range(12)]
DEAD: list[tuple[str, dict[str, Any] | bytes]] = [
    ("not_json", raw("cut", b"mallory")[:-20]),
    ("too_large", failed("huge", "m" * 2_000_000)),
    ("wrong_type", failed("texts", time="yesterday")),
    ("wrong_type", failed("numbers", realmId=7)),
    ("wrong_type", {**failed("list"), "details": ["username"]}),
    ("not_an_object", b'["LOGIN"]'),
    ("missing_field", {"id": "nowhere", "time": TIME, "type": "LOGIN"}),
    ("unknown_tenant_source", failed("late-1", realmId=LATE["realm_id"])),
    ("unknown_tenant_source", failed("late-2", realmId=LATE["realm_id"])),
    ("unknown_tenant_source", failed(None, "without an id", realmId=LATE["realm_id"])),
]
KEPT: dict[str, tuple[str, dict[str, Any] | bytes]] = {
    "nul-raw": ("invalid_characters", raw("nul-raw", b"mal\0lory")),
    "nul-escaped": ("invalid_characters", raw("nul-escaped", b"mal\\u0000lory")),
    "surrogate": ("invalid_characters", raw("surrogate", b"mal\\ud800lory")),
    "not-utf8": ("invalid_characters", raw("not-utf8", b"mal\xfflory")),
    "year-1": ("implausible_time", failed("year-1", time=YEAR_1)),
    "year-9999": ("implausible_time", failed("year-9999", time=YEAR_9999)),
    "overlong": ("trimmed", failed("overlong", "m" * 100_000)),
}
REASONS = Counter(reason for reason, _ in DEAD)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that has taken the file in: between all those events, good ones."""
    async with service(tmp_path / "data") as running:
        await running.create("globex", keycloak("globex"))
        bad = [event for _, event in DEAD] + [event for _, event in KEPT.values()]
        mixed = [event for number, one in enumerate(bad) for event in (GOOD[number % len(GOOD)], one)]
        file = ndjson(tmp_path / "events.ndjson", mixed)
        ran = await running.run("ingest", "--source", "keycloak", "--wait", "--json", str(file))
        assert ran.code == 3, ran.err
        result = ran.json
        assert result["dead_letters"] == REASONS
        assert (result["appended"], result["indexed"]) == (len(mixed), len(GOOD) + len(KEPT))
        assert result["duplicates"] == len(bad) - len(GOOD), "the good ones that stand there twice"
        yield running


async def test_the_lines_around_the_damaged_ones_arrive(here: Service) -> None:
    assert {event["event.id"] for event in await here.exported("globex")} == {event["id"] for event in GOOD} | set(KEPT)


async def test_a_failed_login_does_not_hide_behind_a_strange_value(here: Service) -> None:
    failures = {event["event.id"]: event for event in await here.exported("globex", f"{OWN} AND event.outcome:failure")}
    assert set(failures) == set(KEPT)
    for event_id, (tag, _) in KEPT.items():
        event = failures[event_id]
        assert event["tags"] == [tag], event_id
        marked = await here.exported("globex", f"tags:{tag} AND event.action:login_error AND event.id:{event_id}")
        assert [one["event.id"] for one in marked] == [event_id]
    for event_id in ("nul-raw", "nul-escaped", "surrogate", "not-utf8"):
        assert failures[event_id]["user.name"] == "mal\ufffdlory"
        assert event_id in {event["event.id"] for event in await here.exported("globex", "user.name:mal\ufffdlory")}


async def test_implausible_times_are_kept_beside_the_time_of_arrival(here: Service) -> None:
    for event_id, time in (("year-1", YEAR_1), ("year-9999", YEAR_9999)):
        [event] = await here.exported("globex", f"event.id:{event_id}")
        assert event["idp"]["time"] == time
        assert event["@timestamp"] == event["event.ingested"]
        [found] = (await here.get("/v1/tenants/globex/events", q=f"event.id:{event_id}", since="now-1h")).json()["events"]
        assert found["event.id"] == event_id


async def test_an_overlong_username_is_whole_in_the_event_and_found_whole(here: Service) -> None:
    [event] = await here.exported("globex", "event.id:overlong")
    assert event["user.name"] == "m" * 100_000
    [found] = await here.exported("globex", f'user.name:"{"m" * 5000}"')
    assert found["event.id"] == "overlong"


async def test_dead_letters_come_back_once_their_tenant_exists_and_only_once(here: Service) -> None:
    listed = await here.run("replay", "--dead-letters", "--dry-run", "--json")
    assert (listed.json["reasons"], listed.json["revived"], listed.json["kept"]) == (REASONS, 0, 0)
    assert set(listed.json["messages"]) == set(REASONS), "each with what it says in words"
    await here.create("late", LATE)
    for expected in (len(DEAD), len(DEAD) - 3):  # the second time, those that still can't be placed
        ran = await here.run("replay", "--dead-letters", "--json")
        assert (ran.json["revived"], ran.json["kept"]) == (expected, 0), ran.err
        await here.settled()
        ids = [event["event.id"] for event in await here.exported("late")]
        assert ids[:2] == ["late-1", "late-2"]
        assert len(ids) == 3
        assert ids[2].startswith("tenantry:idp-events-"), "named by where it was first read"
        left = (await here.run("replay", "--dead-letters", "--dry-run", "--json")).json["reasons"]
        assert left == REASONS - Counter(unknown_tenant_source=3), "the others wait with their reasons"
        assert len(await here.exported("globex")) == len(GOOD) + len(KEPT)
