"""Keycloak events, recorded from a real one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources.decode import decode
from streams.sources.registry import named
from streams.sources.source import Selector
from tests.streams.sources.samples import events, lines

KEYCLOAK = named("keycloak")
LOGIN = {"id": "e1", "time": 1795452710932, "type": "LOGIN", "realmId": "r1"}
CREATE = {"id": "a1", "time": 1795452710932, "realmId": "r1", "operationType": "CREATE", "resourceType": "USER"}
USER_FILES = ("keycloak events", "keycloak listener-events")
ADMIN_FILES = ("keycloak admin-events", "keycloak listener-events")


def refusal(raw: dict[str, Any]) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        KEYCLOAK.normalise(raw)
    return caught.value


def test_every_recorded_user_event_is_normalised() -> None:
    recorded = [raw for file in USER_FILES for raw in events(file) if "type" in raw]

    assert len(recorded) == 3616 + 72
    for raw in recorded:
        event = KEYCLOAK.normalise(raw)
        assert event.selectors[0] == Selector("realm_id", raw["realmId"])
        assert (event.id, event.time, event.dataset) == (raw["id"], raw["time"], "keycloak.user")
        assert event.action == raw["type"].lower()
        assert (event.outcome == "failure") is (raw.get("error") is not None) is raw["type"].endswith("_ERROR")
        assert event.reason == raw.get("error")
        assert event.user_id == raw.get("userId")
        assert event.user_name == (raw.get("details") or {}).get("username")
        assert event.client_id == raw.get("clientId")
        assert event.session_id == raw.get("sessionId")
        assert event.source_ip == raw["ipAddress"]


def test_every_recorded_admin_event_sits_with_the_realm_it_changed() -> None:
    recorded = [raw for file in ADMIN_FILES for raw in events(file) if "operationType" in raw]

    assert len(recorded) == 970 + 30
    assert any(raw["realmId"] != raw["authDetails"]["realmId"] for raw in recorded)
    for raw in recorded:
        event = KEYCLOAK.normalise(raw)
        admin = raw["authDetails"]
        assert event.selectors[0] == Selector("realm_id", raw["realmId"])
        assert (event.id, event.time, event.dataset, event.outcome) == (raw["id"], raw["time"], "keycloak.admin", "success")
        assert event.action == f"{raw['operationType']}_{raw['resourceType']}".lower()
        assert (event.user_id, event.client_id, event.source_ip) == (admin["userId"], admin["clientId"], admin["ipAddress"])


def test_counts_by_type_are_those_of_the_file() -> None:
    counted = Counter(line.split(b'"type":"')[1].split(b'"')[0].decode().lower() for line in lines("keycloak events"))

    assert Counter(KEYCLOAK.normalise(raw).action for raw in events("keycloak events")) == counted


def test_the_listener_form_also_names_the_realm() -> None:
    for raw in events("keycloak listener-events"):
        assert KEYCLOAK.normalise(raw).selectors == (Selector("realm_id", raw["realmId"]), Selector("realm", raw["realmName"]))


def test_explicit_nulls_are_absent_fields() -> None:
    nulls = dict.fromkeys(("clientId", "userId", "sessionId", "ipAddress", "error", "details", "realmName", "operationType", "authDetails"))

    assert KEYCLOAK.normalise({**nulls, **LOGIN}) == KEYCLOAK.normalise(LOGIN)


def test_unknown_types_are_taken() -> None:
    event = KEYCLOAK.normalise({**LOGIN, "type": "SOMETHING_NEW_ERROR", "error": "unheard_of"})

    assert (event.action, event.category, event.outcome, event.reason) == ("something_new_error", "authentication", "failure", "unheard_of")


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("LOGIN", "authentication"),
        ("CODE_TO_TOKEN_ERROR", "authentication"),
        ("LOGOUT", "session"),
        ("LOGOUT_ERROR", "session"),
        ("UPDATE_PASSWORD_ERROR", "iam"),
        ("UPDATE_SOMETHING_NEW", "iam"),
        ("CLIENT_REGISTER", "configuration"),
        ("CLIENT_LOGIN", "authentication"),
    ],
)
def test_categories(kind: str, category: str) -> None:
    assert KEYCLOAK.normalise({**LOGIN, "type": kind}).category == category


@pytest.mark.parametrize(
    ("fields", "action", "category"),
    [
        ({}, "create_user", "iam"),
        ({"resourceType": "CLIENT"}, "create_client", "configuration"),
        ({"resourceType": "USER_SESSION", "operationType": "DELETE"}, "delete_user_session", "session"),
        ({"resourceType": "CUSTOM", "resourceTypeAsString": "INVOICE"}, "create_invoice", "configuration"),
        ({"resourceType": None, "resourceTypeAsString": "GROUP"}, "create_group", "iam"),
        ({"resourceType": None}, "create", "configuration"),
    ],
)
def test_admin_actions(fields: dict[str, Any], action: str, category: str) -> None:
    event = KEYCLOAK.normalise({**CREATE, **fields})

    assert (event.action, event.category) == (action, category)


def test_a_failed_admin_event_says_so() -> None:
    event = KEYCLOAK.normalise({**CREATE, "error": "not_allowed"})

    assert (event.outcome, event.reason) == ("failure", "not_allowed")


@pytest.mark.parametrize("name", ["id", "type", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error"])
@pytest.mark.parametrize("value", [1, True, ["a"], {"a": 1}])
def test_texts_must_be_texts(name: str, value: object) -> None:
    error = refusal({**LOGIN, name: value})

    assert error.reason == Reason.WRONG_TYPE
    assert f"`{name}` must be a text" in str(error)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"time": "2026-11-23T16:51:50Z"}, "`time` must be epoch milliseconds (an integer), not a text"),
        ({"time": True}, "not a boolean"),
        ({"time": 1.5}, "not a number"),
        ({"details": "none"}, "`details` must be an object, not a text"),
        ({"details": {"username": 5}}, "`details.username` must be a text, not an integer"),
    ],
)
def test_other_wrong_types_are_named(fields: dict[str, Any], message: str) -> None:
    error = refusal({**LOGIN, **fields})

    assert error.reason == Reason.WRONG_TYPE
    assert message in str(error)


def test_administrators_of_a_wrong_type_are_named() -> None:
    assert "`authDetails.userId` must be a text" in str(refusal({**CREATE, "authDetails": {"userId": 1}}))
    assert "`authDetails` must be an object" in str(refusal({**CREATE, "authDetails": []}))


@pytest.mark.parametrize("event", [LOGIN, CREATE])
@pytest.mark.parametrize("realm", [None, ""])
def test_the_realm_must_be_there_even_if_the_administrators_is(event: dict[str, Any], realm: object) -> None:
    error = refusal({**event, "realmId": realm, "authDetails": {"realmId": "master"}})

    assert error.reason == Reason.MISSING_FIELD
    assert "`realmId` is missing" in str(error)


def test_an_event_of_neither_kind_is_refused() -> None:
    assert refusal({"id": "x", "realmId": "r1"}).reason == Reason.MISSING_FIELD
    assert refusal({"id": "x", "realmId": "r1", "type": ""}).reason == Reason.MISSING_FIELD


@pytest.mark.parametrize("time", [-62135596800000, 253402300799999, 10**40, 0, -1])
def test_implausible_times_are_kept(time: int) -> None:
    assert KEYCLOAK.normalise({**LOGIN, "time": time}).time == time


def test_an_event_may_lack_an_id_and_a_time() -> None:
    event = KEYCLOAK.normalise({"type": "LOGIN", "realmId": "r1"})

    assert (event.id, event.time) == (None, None)


def test_lines_of_the_server_log_are_refused_with_advice() -> None:
    recorded = events("keycloak server-log")

    assert len(recorded) == 100
    for raw in recorded:
        assert KEYCLOAK.recognises(raw)
        error = refusal(raw)
        assert error.reason == Reason.KEYCLOAK_LOG_LINE
        assert "events REST API" in str(error)


def test_the_same_lines_as_plain_text_are_refused_with_advice() -> None:
    for raw in events("keycloak server-log"):
        for line in (raw["message"], f"2026-11-23 16:48:53,343 WARN  [org.keycloak.events] (executor-thread-1) {raw['message']}"):
            with pytest.raises(DecodeError) as caught:
                decode(line.encode())
            assert caught.value.reason == Reason.KEYCLOAK_LOG_LINE
