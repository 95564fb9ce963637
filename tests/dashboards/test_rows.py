"""Rows and their columns: what an address names, what stands in a cell, and what the script of the live tail gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboards.console.asked import Asked
from dashboards.console.columns import MOST, USUAL, choices, columns, named, value
from dashboards.console.rows import LIMIT, Row, shown
from streams.errors import QueryError
from streams.fields import FIELDS
from tests.streams.query.watched import Watched

EVENT: dict[str, Any] = {
    "@timestamp": "2026-11-23T16:51:50.932Z",
    "event.id": "e1",
    "event.action": "login_error",
    "event.outcome": "failure",
    "event.reason": "invalid_user_credentials",
    "user.name": "<b>a\x1b\u202e",
    "tags": ["trimmed", "invalid_characters"],
    "idp": {"details": {"auth_method": "openid-connect", "scopes": ["a", "b"]}, "n": 1},
}


def test_an_address_names_columns_in_their_order() -> None:
    assert columns("") == USUAL
    assert columns(" user.id, idp.details.auth_method,user.id,,@timestamp") == ("user.id", "idp.details.auth_method")
    assert columns("@timestamp") == USUAL, "the time is there anyway"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user.nam", "columns: unknown field `user.nam`; did you mean `user.name`?"),
        ("idp", "columns: `idp` needs a path; name what is in it, as idp.details.auth_method"),
        (",".join(f"idp.{n}" for n in range(MOST + 1)), f"columns: {MOST + 1} are more than the table can show; choose at most {MOST}"),
    ],
)
def test_a_column_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(QueryError) as raised:
        columns(text)
    assert str(raised.value) == message


def test_a_form_becomes_an_address_and_the_usual_columns_none() -> None:
    assert named(["user.id", " ", " idp.type "]) == "user.id,idp.type"
    assert named(USUAL) == ""
    assert Asked("acme", columns="user.id").path() == "/console/acme?columns=user.id"


def test_every_field_can_be_chosen_and_a_path_stays_chosen() -> None:
    found = choices(("user.id", "idp.details.auth_method"))
    assert {choice.name for choice in found if choice.chosen} == {"user.id", "idp.details.auth_method"}
    assert {choice.name for choice in found} == {field.name for field in FIELDS} - {"@timestamp", "idp"} | {"idp.details.auth_method"}


def test_a_cell_has_the_events_value() -> None:
    assert value(EVENT, "tags") == "trimmed, invalid_characters"
    assert value(EVENT, "idp.details.auth_method") == "openid-connect"
    assert set(value(EVENT, "idp.details.scopes").split(", ")) == {"a", "b"}
    assert value(EVENT, "idp.n") == "1"
    assert (value(EVENT, "idp.details"), value(EVENT, "client.id"), value({}, "idp.x")) == ("", "", "")


def test_a_cell_takes_no_longer_for_a_large_event() -> None:
    rest = {f"k{n}": n for n in range(100_000)}
    looked = Watched({} for _ in range(300_000))
    event = {"idp": {**rest, "x": {**rest, "y": "found"}, "many": looked, "full": Watched(range(300_000))}}
    assert value(event, "idp.x.y") == "found", "wherever in the event it stands"
    assert value(event, "idp.many.y") == ""
    assert 0 < looked.taken <= 1000
    assert value(event, "idp.full") == ", ".join(map(str, range(20)))


def test_a_reason_stands_below_the_outcome_unless_it_has_a_column() -> None:
    [cell] = Row.of("acme", EVENT, ("event.outcome",)).cells
    assert (cell.value, cell.reason, cell.mood) == ("failure", "invalid_user_credentials", "bad")
    assert [cell.reason for cell in Row.of("acme", EVENT, ("event.outcome", "event.reason")).cells] == ["", ""]


def test_a_row_for_scripts_has_texts_in_parts_and_no_html() -> None:
    news = Row.of("acme", EVENT, ("user.name", "event.outcome")).news()
    assert news["href"] == "/console/acme/events/e1"
    assert news["time"] == "2026-11-23 16:51:50Z"
    name, outcome = news["cells"]
    assert name["value"] == {"parts": ["<b>a", "ESC", "", "RLO", ""], "cut": 0}
    assert (outcome["outcome"], outcome["mood"]) == (True, "bad")
    assert "\n" not in json.dumps(news)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * (LIMIT + 1)) == {"parts": ["x" * LIMIT], "cut": LIMIT + 1}
    assert shown("x" * LIMIT)["cut"] == 0
