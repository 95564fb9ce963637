"""The router: every raw event ends in one tenant's segment, in the dead letters, or was to be ignored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from streams.dead_letters import Reason
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, UNREADABLE, NewRecord, Record
from streams.log_kafka.records import size_of
from streams.raw_event import MAX_HEADER, MAX_LETTER_BYTES, RawEvent, dead_letter, raw_events, raw_record, revived
from streams.router import Routed, Router
from streams.segment import entries
from streams.source_map import IGNORED, SourceMap, declaration

ACME_REALM, GLOBEX_REALM, MASTER_REALM = "realm-acme", "realm-globex", "realm-master"
ARRIVED = 1_800_000_000_000


def login(realm: str, event_id: str = "e1", **more: Any) -> dict[str, Any]:
    return {"id": event_id, "time": ARRIVED - 1000, "type": "LOGIN", "realmId": realm, "clientId": "web", "ipAddress": "192.0.2.1", **more}


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


@pytest.fixture
def router() -> Router:
    sources = SourceMap()
    sources.apply("acme", [declaration({"provider": "keycloak", "realm_id": ACME_REALM, "realm": "acme"})])
    sources.apply("globex", [declaration({"provider": "keycloak", "realm_id": GLOBEX_REALM, "realm": "globex"})])
    sources.apply(IGNORED, [declaration({"provider": "keycloak", "realm_id": MASTER_REALM})])
    return Router(sources)


def route(router: Router, *values: bytes, offset: int = 7, **how: Any) -> Routed:
    return router.route([stored(raw_record(list(values), **how), offset)])


def stored(new: NewRecord, offset: int = 7) -> Record:
    return Record(new.stream, 0, offset, new.key, new.value, new.headers, ARRIVED)


def events(routed: Routed, tenant: str) -> list[dict[str, Any]]:
    segments = [output for output in routed.outputs if output.stream == TENANT_LOG and output.key == tenant]
    return [json.loads(entry.document) for segment in segments for entry in entries(stored(segment))]


def letters(routed: Routed) -> Sequence[NewRecord]:
    return [output for output in routed.outputs if output.stream == DEAD_LETTERS]


def test_each_tenants_events_are_together_and_in_their_order(router: Router) -> None:
    order = [(ACME_REALM, "a1"), (GLOBEX_REALM, "g1"), (ACME_REALM, "a2"), (GLOBEX_REALM, "g2"), (ACME_REALM, "a3")]
    routed = route(router, *(line(login(realm, event_id)) for realm, event_id in order))
    assert [event["event.id"] for event in events(routed, "acme")] == ["a1", "a2", "a3"]
    assert [event["event.id"] for event in events(routed, "globex")] == ["g1", "g2"]
    assert len(routed.outputs) == 2, "one segment a tenant"


def test_an_event_is_in_flat_ecs_with_the_sources_object_whole(router: Router) -> None:
    raw = login(ACME_REALM, error="invalid_user_credentials", type="LOGIN_ERROR", details={"username": "alice"})
    [event] = events(route(router, line(raw)), "acme")
    assert event["@timestamp"] == "2027-01-15T07:59:59.000Z"
    assert event["event.ingested"] == "2027-01-15T08:00:00.000Z"
    assert (event["event.action"], event["event.outcome"], event["event.reason"]) == ("login_error", "failure", "invalid_user_credentials")
    assert (event["user.name"], event["client.id"], event["source.ip"], event["tenant.id"]) == ("alice", "web", "192.0.2.1", "acme")
    assert event["idp"] == raw


def test_an_administrators_realm_does_not_decide(router: Router) -> None:
    admin = {
        "id": "admin-1",
        "time": ARRIVED,
        "realmId": ACME_REALM,
        "authDetails": {"realmId": GLOBEX_REALM, "clientId": "c", "userId": "u", "ipAddress": "192.0.2.1"},
        "operationType": "CREATE",
        "resourceType": "USER",
        "resourcePath": "users/1",
    }
    routed = route(router, line(admin))
    assert len(events(routed, "acme")) == 1
    assert events(routed, "globex") == []


def test_an_ignored_source_leaves_nothing(router: Router) -> None:
    routed = route(router, line(login(MASTER_REALM)))
    assert (routed.ignored, list(routed.outputs)) == (1, [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"id": "cut', Reason.NOT_JSON),
        (b"[1, 2]", Reason.NOT_AN_OBJECT),
        (b'{"some": "thing"}', Reason.UNKNOWN_FORMAT),
        (line(login("realm-nobody")), Reason.UNKNOWN_TENANT_SOURCE),
        (line(login(ACME_REALM, time="yesterday")), Reason.WRONG_TYPE),
        (line(login(ACME_REALM, details={"blob": "x" * 2_000_000})), Reason.TOO_LARGE),
        (line(login("realm-other", realmName="acme")), Reason.CONFLICTING_SOURCE),
    ],
)
def test_what_cant_be_placed_is_a_dead_letter_and_its_neighbours_arrive(router: Router, value: bytes, reason: Reason) -> None:
    routed = route(router, line(login(ACME_REALM, "before")), value, line(login(ACME_REALM, "after")))
    assert [event["event.id"] for event in events(routed, "acme")] == ["before", "after"]
    [letter] = letters(routed)
    assert letter.value == value, "whole"
    assert letter.headers["reason"] == reason
    assert len(letter.headers["message"]) > 20, "in words"


def test_what_a_log_cant_give_out_is_a_dead_letter_that_says_so_and_stays_one(router: Router) -> None:
    stands = NewRecord(IDP_EVENTS, b"", None, {UNREADABLE: "the records at offsets 3 to 7 unpack to gigabytes"})
    routed = router.route([stored(stands), stored(NewRecord(IDP_EVENTS, line(login(ACME_REALM, "after"))), 8)])
    assert [event["event.id"] for event in events(routed, "acme")] == ["after"]
    [letter] = letters(routed)
    assert (letter.headers["reason"], letter.headers["message"]) == (Reason.TOO_LARGE, stands.headers[UNREADABLE])
    assert revived(stored(letter, 99)) == letter


def test_a_dead_letter_comes_back_as_the_same_event(router: Router) -> None:
    janssen = line({"action": "TOKEN_REQUEST", "timestamp": ARRIVED, "clientId": "shop", "success": True, "ip": "192.0.2.1"})
    [letter] = letters(route(router, b"", janssen, source="janssen"))
    [again] = raw_events(stored(revived(stored(letter, 99)), 100))
    assert (again.identity, again.arrived, again.source) == (f"tenantry:{IDP_EVENTS}-0-7-1", ARRIVED, "janssen")


def test_an_event_without_an_id_is_named_by_its_place(router: Router) -> None:
    event = line({"action": "TOKEN_REQUEST", "timestamp": ARRIVED, "clientId": "shop", "success": True, "ip": "192.0.2.1"})
    routed = route(router, event, event, tenant="acme", source="janssen")
    assert [found["event.id"] for found in events(routed, "acme")] == ["tenantry:idp-events-0-7-0", "tenantry:idp-events-0-7-1"]


def test_a_tenants_way_refuses_events_that_name_another(router: Router) -> None:
    routed = route(router, line(login(GLOBEX_REALM)), line(login("realm-nobody")), line(login(ACME_REALM)), tenant="acme")
    assert len(events(routed, "acme")) == 1
    assert [letter.headers["reason"] for letter in letters(routed)] == [Reason.NAMES_ANOTHER_TENANT] * 2


@pytest.mark.parametrize("time", [-62_135_596_800_000, 253_402_300_799_000, 10**30])
def test_implausible_times_are_marked_and_replaced_by_the_arrival(router: Router, time: int) -> None:
    [event] = events(route(router, line(login(ACME_REALM, time=time))), "acme")
    assert event["@timestamp"] == event["event.ingested"]
    assert event["tags"] == ["implausible_time"]
    assert event["idp"]["time"] == time


def test_nul_and_lone_surrogates_are_replaced_and_marked(router: Router) -> None:
    value = line(login(ACME_REALM, type="LOGIN_ERROR", error="x", details={"username": "al\x00ice\ud800"}))
    [event] = events(route(router, value), "acme")
    assert event["user.name"] == "al\ufffdice\ufffd"
    assert event["tags"] == ["invalid_characters"]
    assert event["event.outcome"] == "failure"


def test_an_overlong_value_is_whole_in_the_event_and_marked(router: Router) -> None:
    [event] = events(route(router, line(login(ACME_REALM, details={"username": "x" * 50_000}))), "acme")
    assert event["user.name"] == "x" * 50_000
    assert event["tags"] == ["trimmed"]


def test_a_large_batch_becomes_segments_under_the_limit(router: Router) -> None:
    values = [line(login(ACME_REALM, str(n), details={"blob": "x" * 100_000})) for n in range(20)]
    routed = route(router, *values)
    assert all(len(output.value) < 1_000_000 for output in routed.outputs)
    assert len(events(routed, "acme")) == 20


@pytest.mark.parametrize(
    ("source", "event"),
    [
        # `description` is the reason and the message, besides the source's own object.
        ("auth0", {"log_id": "1", "date": "2026-11-23T16:51:50Z", "type": "f", "tenant_name": "acme", "description": '"' * 499_000}),
        # In lower case, this letter takes half as many bytes again.
        ("cloudevents", {"specversion": "1.0", "id": "1", "source": "acme", "type": "\u0130" * 499_000}),
        ("janssen", {"action": "\u0130" * 400_000, "timestamp": 1, "ip": "x" * 199_000, "success": True}),
    ],
)
def test_the_largest_event_fits_into_a_record_as_a_segment_and_as_a_dead_letter_of_the_index(source: str, event: dict[str, Any]) -> None:
    sources = SourceMap()
    sources.apply(
        "acme", [declaration({"provider": "auth0", "tenant_name": "acme"}), declaration({"provider": "cloudevents", "source": "acme"})]
    )
    value = json.dumps(event, ensure_ascii=False).encode()
    assert len(value) > 990_000
    longest = "x" * (MAX_HEADER - 10)
    [segment] = route(Router(sources), value, source=source, tenant="acme", identity=longest, ingest=longest).outputs
    assert segment.stream == TENANT_LOG
    assert size_of(segment) < 3_100_000
    [entry] = entries(stored(segment))
    assert size_of(dead_letter(RawEvent(entry.document, entry.event_id, ARRIVED), Reason.INDEX_REJECTED, "")) < 3_100_000 < MAX_LETTER_BYTES


def test_an_ingest_run_is_named_on_what_it_became(router: Router) -> None:
    routed = route(router, line(login(ACME_REALM)), b"{", ingest="run-1")
    assert {output.headers["ingest"] for output in routed.outputs} == {"run-1"}
