"""Events: ingest, search, counts, tail, export, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest

from services.api.events import MAX_BODY
from streams.control_log import ControlEvent
from tests.platforms import REALM_IDS, Site, keycloak, recorded

NDJSON = {"Content-Type": "application/x-ndjson"}
HIDE_AUDIT = "NOT event.provider:tenantry"


def login(event_id: str, time: int = 1_795_000_000_000, realm: str = "globex", **more: Any) -> dict[str, Any]:
    return {"id": event_id, "time": time, "type": "LOGIN", "realmId": REALM_IDS[realm], "clientId": "web", **more}


def lines(*events: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


async def sent(here: Site, *events: dict[str, Any], tenant: str = "globex") -> None:
    answer = await here.operator.post(f"/v1/tenants/{tenant}/events", content=lines(*events), headers=NDJSON)
    assert answer.status_code == 202, answer.text
    await here.settled()


async def found(here: Site, q: str = HIDE_AUDIT, **params: Any) -> list[str]:
    answer = await here.operator.get("/v1/tenants/globex/events", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    return [event["event.id"] for event in answer.json()["events"]]


@pytest.fixture
async def globex(here: Site) -> Site:
    await here.create("globex", keycloak("globex"))
    return here


async def test_recorded_events_are_found_by_count_type_and_time(globex: Site) -> None:
    events = [event for event in recorded("events") if event["realmId"] == REALM_IDS["globex"]]
    for start in range(0, len(events), 500):
        await sent(globex, *events[start : start + 500])
    answer = (await globex.operator.get("/v1/tenants/globex/events/counts", params={"by": "event.action", "q": HIDE_AUDIT})).json()
    assert answer["total"] == len(events)
    expected = Counter(event["type"].lower() for event in events)
    assert {bucket["value"]: bucket["count"] for bucket in answer["buckets"]} == expected
    assert [bucket["count"] for bucket in answer["buckets"]] == sorted(expected.values(), reverse=True)
    histogram = (await globex.operator.get("/v1/tenants/globex/events/counts", params={"interval": "1m", "q": HIDE_AUDIT})).json()
    assert sum(bucket["count"] for bucket in histogram["buckets"]) == histogram["total"] == len(events)
    assert Counter(event["time"] // 60_000 for event in events) == {
        int(_ms(bucket["value"]) // 60_000): bucket["count"] for bucket in histogram["buckets"]
    }
    user = next(event["details"]["username"] for event in events if event["type"] == "LOGIN")
    by_user = [event["id"] for event in events if event.get("details", {}).get("username") == user]
    assert sorted(await found(globex, f'user.name:"{user}"', limit=1000)) == sorted(by_user)


async def test_pages_have_everything_once_in_order(globex: Site) -> None:
    events = [login(f"e{n}", 1_795_000_000_000 + n // 5) for n in range(53)]
    await sent(globex, *events)
    for sort, expected in (("oldest", list(range(53))), ("newest", list(reversed(range(53))))):
        params: dict[str, Any] = {"q": HIDE_AUDIT, "limit": 10, "sort": sort}
        seen: list[str] = []
        while True:
            answer = await globex.operator.get("/v1/tenants/globex/events", params=params)
            page = answer.json()
            seen += [event["event.id"] for event in page["events"]]
            if page["next"] is None:
                break
            assert 'rel="next"' in answer.headers["link"]
            params["after"] = page["next"]
        assert seen == [f"e{n}" for n in expected]


async def test_the_same_event_again_changes_nothing(globex: Site) -> None:
    await sent(globex, login("e1", clientId="first"))
    await sent(globex, login("e1", clientId="second"))
    answer = (await globex.operator.get("/v1/tenants/globex/events", params={"q": "event.id:e1"})).json()
    assert [event["client.id"] for event in answer["events"]] == ["first"], "nobody can overwrite history"


async def test_one_event_by_its_id(globex: Site) -> None:
    await sent(globex, login("with/slash and ünïcode"))
    answer = await globex.operator.get("/v1/tenants/globex/events/with%2Fslash%20and%20%C3%BCn%C3%AFcode")
    assert answer.json()["event.id"] == "with/slash and ünïcode"
    assert (await globex.operator.get("/v1/tenants/globex/events/nobody")).status_code == 404


ODD = (
    "a",
    "a\n",
    "\na",
    "a\n\nb",
    "a\r\n",
    "\u2028\u2029\x85",
    "\x1b\x7f",
    " ",
    "%0A",
    "%252F",
    "a?b#c&d=e+f;g",
    "é\U0001f600",
    "-",
    "{a:path}",
    "/a//b/",
)


async def test_every_id_that_an_event_can_have_is_found(globex: Site) -> None:
    await sent(globex, *map(login, ODD))
    for odd in ODD:
        answer = await globex.operator.get(f"/v1/tenants/globex/events/{quote(odd, safe='')}")
        assert (answer.status_code, answer.json()["event.id"]) == (200, odd)


async def test_an_event_is_named_once(globex: Site) -> None:
    await sent(globex, login("a"))
    answer = await globex.operator.get("/v1/tenants/globex/events/a", params={"id": "b"})
    assert (answer.status_code, "events/-" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("odd", [".", "..", "../a", "counts", "export", "tail", "-", "a\nb"])
async def test_what_cant_end_a_path_is_found_by_the_query(globex: Site, odd: str) -> None:
    await sent(globex, login(odd))
    answer = await globex.operator.get("/v1/tenants/globex/events/-", params={"id": odd})
    assert (answer.status_code, answer.json()["event.id"]) == (200, odd)


async def test_bounds_of_time(globex: Site) -> None:
    await sent(globex, *(login(f"e{n}", 1_795_000_000_000 + n * 1000) for n in range(5)))
    bounds = {"since": "2026-11-18T11:06:41Z", "until": "2026-11-18T11:06:43Z", "sort": "oldest"}
    assert await found(globex, **bounds) == ["e1", "e2"]
    wrong = await globex.operator.get("/v1/tenants/globex/events", params={"since": "2026-11-18T11:06:41"})
    assert wrong.status_code == 400
    assert "zone" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("q", "position", "hint"),
    [
        ("user.nam:x", 0, "user.name"),
        ("event.action:login AND (", None, ""),
        ('a AND event.action:"x', None, ""),
        ("user.name:a*b", None, ""),
    ],
)
async def test_wrong_queries_say_where_and_what(globex: Site, q: str, position: int | None, hint: str) -> None:
    answer = await globex.operator.get("/v1/tenants/globex/events", params={"q": q})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("invalid-query")
    assert hint in answer.json()["detail"]
    if position is not None:
        assert answer.json()["position"] == position


async def test_a_tail_skips_nothing_and_repeats_nothing(globex: Site) -> None:
    seen: list[str] = []
    after = ""

    async def poll() -> int:
        nonlocal after
        page = (await globex.operator.get("/v1/tenants/globex/events/tail", params={"q": HIDE_AUDIT, "after": after, "limit": 7})).json()
        seen.extend(event["event.id"] for event in page["events"])
        after = page["next"]
        return len(page["events"])

    async def send() -> None:
        for start in range(0, 60, 6):
            await sent(globex, *(login(f"e{n}", 1_795_000_000_000 - n) for n in range(start, start + 6)))

    sending = asyncio.create_task(send())
    while not sending.done():
        await poll()
    await sending
    while await poll():
        pass
    assert seen == [f"e{n}" for n in range(60)], "in the order of the log, not of time"
    latest = (await globex.operator.get("/v1/tenants/globex/events/tail", params={"after": "latest"})).json()
    assert latest["events"] == []


async def test_an_export_has_every_event_once(globex: Site) -> None:
    await sent(globex, *(login(f"e{n}") for n in range(2500)))
    answer = await globex.operator.get("/v1/tenants/globex/events/export", params={"q": HIDE_AUDIT})
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert [event["event.id"] for event in events] == [f"e{n}" for n in range(2500)]
    assert answer.headers["content-type"].startswith("application/x-ndjson")


async def test_each_event_of_a_request_is_judged_alone(globex: Site) -> None:
    body = lines(login("good"), login("theirs", realm="hooli"), {"no": "event"}) + b'\n{"cut\n\n' + lines(login("last"))
    answer = await globex.operator.post("/v1/tenants/globex/events", content=body, headers=NDJSON)
    assert answer.status_code == 202
    assert answer.json()["taken"] == 2
    assert [(one["index"], one["reason"]) for one in answer.json()["refused"]] == [
        (1, "names_another_tenant"),
        (2, "unknown_format"),
        (3, "not_json"),
    ]
    await globex.settled()
    assert sorted(await found(globex)) == ["good", "last"]
    assert not any((await globex.platform.log.ends("dead-letters")).values()), "what came over HTTP was answered, not dead-lettered"


async def test_nothing_taken_is_an_error(globex: Site) -> None:
    answer = await globex.operator.post("/v1/tenants/globex/events", content=lines(login("x", realm="hooli")), headers=NDJSON)
    assert (answer.status_code, answer.json()["taken"]) == (422, 0)


async def test_json_arrays_objects_and_cloudevents_are_taken(globex: Site) -> None:
    post = globex.operator.post
    array = json.dumps([login("a1"), login("a2")], indent=2).encode()
    assert (await post("/v1/tenants/globex/events", content=array, headers={"Content-Type": "application/json"})).json()["taken"] == 2
    assert (await post("/v1/tenants/globex/events", json=login("a3"))).json()["taken"] == 1
    event = {"specversion": "1.0", "id": "c1", "source": "/sensors", "type": "com.example.login.succeeded", "data": {"user": "alice"}}
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    assert (await post("/v1/tenants/globex/events", content=json.dumps([event]), headers=headers)).json()["taken"] == 1
    assert (await post("/v1/tenants/globex/events", content=b"<xml/>", headers={"Content-Type": "text/xml"})).status_code == 400
    await globex.settled()
    assert len(await found(globex)) == 4


async def test_an_idempotency_key_makes_one_event_of_two_requests(globex: Site) -> None:
    janssen = lines({"action": "TOKEN_REQUEST", "timestamp": 1_795_000_000_000, "clientId": "shop", "success": True, "ip": "192.0.2.1"})
    headers = {**NDJSON, "Idempotency-Key": "try-1"}
    for _ in range(2):
        answer = await globex.operator.post("/v1/tenants/globex/events?source=janssen", content=janssen, headers=headers)
        assert answer.json() == {"taken": 1, "refused": []}
    await globex.settled()
    assert len(await found(globex)) == 1
    other = await globex.operator.post("/v1/tenants/globex/events?source=janssen", content=janssen + b" ", headers=headers)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")


async def test_a_request_that_is_too_large_is_refused(globex: Site) -> None:
    answer = await globex.operator.post("/v1/tenants/globex/events", content=b" " * (MAX_BODY + 1), headers=NDJSON)
    assert answer.status_code == 413


async def test_who_asked_is_itself_an_event(globex: Site) -> None:
    async with await globex.token("globex", "events:read", "keys:read") as reader:
        await reader.get("/v1/tenants/globex/events", params={"q": "event.action:login"})
        await reader.get("/v1/tenants/globex/events/export")
    await globex.operator.post("/v1/tenants/globex/keys/rotate", json={"activate": True, "reason": "audit me"})
    await globex.settled()
    answer = (await globex.operator.get("/v1/tenants/globex/events", params={"q": "event.provider:tenantry", "limit": 100})).json()
    actions = Counter(event["event.action"] for event in answer["events"])
    assert {"tenant_created", "token_minted", "events_searched", "events_exported", "key_prepared", "key_activated"} <= set(actions)
    [search] = [event for event in answer["events"] if event["event.action"] == "events_searched"]
    assert search["user.name"] == "events:read-keys:read"
    assert search["idp"]["q"] == "event.action:login"


async def test_the_answer_says_how_fresh_it_is(globex: Site) -> None:
    await sent(globex, login("e1"))
    page = (await globex.operator.get("/v1/tenants/globex/events", params={"q": HIDE_AUDIT})).json()
    assert page["events"][0]["log.position"] <= page["indexed_up_to"]


async def test_a_rebuilt_index_gives_the_same_answers(globex: Site) -> None:
    await sent(globex, *(login(f"e{n}", 1_795_000_000_000 + n * 1000) for n in range(300)))
    before = await found(globex, limit=1000)
    answer = await globex.operator.post("/v1/tenants/globex/events/rebuild")
    assert answer.json()["events"] >= 300
    assert await found(globex, limit=1000) == before


async def test_an_index_that_another_process_builds_is_left_to_it(globex: Site) -> None:
    data = {"tenant": "globex", "partition": 0, "offset": 0, "builder": "another"}

    async def claimed() -> Sequence[ControlEvent]:
        return [ControlEvent(type=f"backlog_{what}", at=globex.platform.now(), by="test", data=data) for what in ("opened", "claimed")]

    await globex.platform.control.commit("@index", claimed)
    answer = await globex.operator.post("/v1/tenants/globex/events/rebuild")
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "index-being-built")


def _ms(text: str) -> float:
    from datetime import datetime  # noqa: PLC0415

    return datetime.fromisoformat(text).timestamp() * 1000


async def test_the_description_of_the_api_says_what_errors_look_like(here: Site) -> None:
    schema = (await here.operator.get("/openapi.json")).json()
    assert "HTTPValidationError" not in json.dumps(schema)
    operation = schema["paths"]["/v1/tenants/{tenant}/events"]["get"]
    assert operation["responses"]["4XX"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")


async def test_the_address_alone_leads_to_the_console(here: Site) -> None:
    answer = await here.client(None).get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/console")
