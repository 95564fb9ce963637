"""Completion: which part of a query is being typed, and that what is chosen means what the list said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console import completion
from dashboards.console.completion import Typed, typed
from streams.fields import FIELDS
from streams.query.parser import parse
from streams.query.tree import And, Term, Words


def at_the_bar(text: str) -> Typed | None:
    """What is typed where the bar is."""
    before, _, after = text.partition("|")
    return typed(before + after, len(before))


@pytest.mark.parametrize(
    ("text", "part", "field", "replaced"),
    [
        ("|", "", None, ""),
        ("us|", "us", None, "us"),
        ("login us|er.nam:x", "us", None, "user.nam:"),
        ("user.name:|", "", "user.name", ""),
        ("user.name:al|ice b", "al", "user.name", "alice"),
        ('user.name:"al|', "al", "user.name", '"al'),
        ('user.name:"al|ice" b', "al", "user.name", '"alice"'),
        ('user.name:"a b\\"c|', 'a b"c', "user.name", '"a b\\"c'),
        ("NOT user.name:al|", "al", "user.name", "al"),
        ("-user.name:al|", "al", "user.name", "al"),
        ("(us|)", "us", None, "us"),
        ("user.name:(alice OR bo|)", "bo", "user.name", "bo"),
        ("user.name:(alice) ev|", "ev", None, "ev"),
        ("@timestamp:[now-1h TO now] us|", "us", None, "us"),
        ("idp.details.au|", "idp.details.au", None, "idp.details.au"),
        ("idp.details.auth_method:op|", "op", "idp.details.auth_method", "op"),
        ("source.ip:10.0.0|", "10.0.0", "source.ip", "10.0.0"),
        ("😀 us|", "us", None, "us"),
    ],
)
def test_the_part_that_is_typed(text: str, part: str, field: str | None, replaced: str) -> None:
    found = at_the_bar(text)
    assert found is not None
    assert (found.text, found.field, text.replace("|", "")[found.start : found.end]) == (part, field, replaced)


@pytest.mark.parametrize("text", ['user.name:"alice"|', "@timestamp:[now-1h|", "@timestamp:{now-1h TO |", 'user.name:a"b|'])
def test_nothing_is_completed_behind_an_end_and_in_a_range(text: str) -> None:
    assert at_the_bar(text) is None


@given(st.text(alphabet='ab:."\\ ()[]{}-+!', max_size=30) | st.text(max_size=30), st.integers(min_value=-3, max_value=40))
def test_every_text_has_an_answer_within_it(query: str, at: int) -> None:
    found = typed(query, at)
    if found is not None:
        assert 0 <= found.start <= min(max(at, 0), len(query)) <= found.end <= len(query)


@given(st.text(min_size=1, max_size=40).filter(str.isprintable))
def test_a_chosen_value_is_that_value(value: str) -> None:
    [choice] = completion.values(Typed(0, 0, "", "user.name"), [(value, 1)])
    assert parse(f"user.name:{choice.insert}", now=0) == Term("user.name", value)


@given(st.text(min_size=1, max_size=40).filter(str.isprintable))
def test_typing_on_behind_a_chosen_value_begins_something_new(value: str) -> None:
    query = f"user.name:{completion.values(Typed(0, 0, '', 'user.name'), [(value, 1)])[0].insert}"
    assert typed(query, len(query)) == Typed(len(query), len(query), "", None)
    assert parse(query + "word", now=0) == And((Term("user.name", value), Words(None, ("word",))))


def test_fields_that_begin_so_come_first() -> None:
    assert [choice.insert for choice in completion.fields("act")] == ["event.action:"]
    assert next(iter(completion.fields("user"))).insert == "user.id:"
    assert {choice.label for choice in completion.fields("session")} >= {"session.id"}
    assert completion.fields("nothing is called that") == ()
    assert len(completion.fields("")) == completion.MOST < len(FIELDS)


def test_the_object_of_the_source_goes_on_with_its_paths() -> None:
    assert "idp." in [choice.insert for choice in completion.fields("idp")]
    found = [("idp.details.auth_method", 3), ("idp.type", 2), ("idp.with space", 1)]
    assert [choice.insert for choice in completion.paths("idp.", found)] == ["idp.details.auth_method:", "idp.type:"]
    assert [choice.insert for choice in completion.paths("idp.AUTH", found)] == []
    assert [choice.insert for choice in completion.paths("auth", found)] == ["idp.details.auth_method:"]


def test_values_that_begin_so_come_before_those_that_hold_it() -> None:
    found = [("relogin", 9), ("login", 5), ("LOGIN_ERROR", 1), ("logout", 7)]
    choices = completion.values(Typed(0, 0, "login", "event.action"), found)
    assert [(choice.label, choice.note) for choice in choices] == [
        ("login", "5 events"),
        ("LOGIN_ERROR", "1 event"),
        ("relogin", "9 events"),
    ]


def test_times_are_offered_for_dates() -> None:
    choices = completion.dates(Typed(0, 0, ">=", "@timestamp"))
    assert choices
    for choice in choices:
        parse(f"@timestamp:{choice.insert}", now=0)
    assert completion.dates(Typed(0, 0, "x", "@timestamp")) == ()


def test_what_can_not_be_seen_has_a_sign_in_the_list_and_stays_itself_in_the_query() -> None:
    [choice] = completion.values(Typed(0, 0, "", "user.name"), [("a\u202eb", 1)])
    assert choice.shown()["label"] == {"parts": ["a", "RLO", "b"], "cut": 0}
    assert choice.insert == '"a\u202eb" '
