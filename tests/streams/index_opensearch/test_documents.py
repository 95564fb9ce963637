"""An event as a document: as it is wherever that says the same, in the indexed form otherwise, and always back again whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.index_opensearch.documents import entry_of, identity, original
from streams.index_opensearch.indexed import indexed
from streams.index_opensearch.plain import plain
from streams.index_opensearch.words import spoken, tokens
from streams.position import render
from streams.query.words import words
from streams.search_index import Entry
from tests.contract.random_events import decoded, entries

DATE = "2026-11-23T10:00:00.000Z"
FULL: dict[str, Any] = {
    "@timestamp": DATE,
    "event.id": "e1",
    "event.action": "login_error",
    "event.category": "authentication",
    "event.outcome": "failure",
    "event.reason": "Invalid credentials",
    "event.provider": "keycloak",
    "event.dataset": "keycloak.user",
    "event.ingested": DATE,
    "user.id": "u1",
    "user.name": "alice@example.com",
    "client.id": "web",
    "session.id": "s1",
    "source.ip": "10.0.0.1",
    "tenant.id": "acme",
    "message": "Refused: twice",
    "tags": ["trimmed"],
    "idp": {"type": "LOGIN_ERROR", "n": 3, "yes": True, "none": None, "details": {"list": ["a", {"b": "c"}], "x": "a=b"}},
}


def entry(event: dict[str, Any]) -> Entry:
    return Entry(7, str(event.get("event.id", "e1")), 42, msgspec.json.encode(event))


def terms(document: bytes) -> dict[str, Any]:
    """What is indexed of it: values as lists, and the source's object as paths."""
    row = msgspec.json.decode(document)
    row.pop("idp")
    row["tenantry"].pop("whole", None)
    return {name: value if isinstance(value, list | dict) else [value] for name, value in row.items()}


def test_both_forms_say_the_same() -> None:
    as_it_is, form = plain("acme", entry(FULL)), indexed("acme", entry(FULL))
    assert as_it_is is not None
    assert terms(as_it_is) == terms(form)


@pytest.mark.parametrize(
    "odd",
    [
        {"idp": {"n": 1.5}},
        {"idp": {"n": [1, 2.50]}},
        {"idp": {"a": {"b": 1e3}}},
        {"idp": {"a=b": "c"}},
        {"idp": {"a": {"b\\": "c"}}},
        {"idp": {"": "x"}},
        {"idp": "text"},
        {"idp": ["list"]},
        {"idp": {"a": "x" * 5000}},
        {"event.ingested": "2026-11-23"},
        {"event.ingested": "2026-99-99T10:00:00.000Z"},
        {"source.ip": "fe80::1%eth0"},
        {"source.ip": "here"},
        {"user.name": 5},
        {"user.name": ["a", "b"]},
        {"unknown": 1},
        {"tenantry": {"owner": "globex"}},
        {"log.position": "0"},
    ],
    ids=str,
)
def test_what_opensearch_would_index_otherwise_goes_in_the_indexed_form(odd: dict[str, Any]) -> None:
    event = FULL | odd
    assert plain("acme", entry(event)) is None
    row = msgspec.json.decode(indexed("acme", entry(event)))
    assert row["tenantry"]["owner"] == "acme"
    assert row["log.position"] == render(7)


def test_no_document_becomes_two_lines() -> None:
    pretty = Entry(7, "e1", 42, msgspec.json.format(msgspec.json.encode(FULL)))
    assert b"\n" in pretty.document
    assert plain("acme", pretty) is None
    assert b"\n" not in indexed("acme", pretty)
    assert original(indexed("acme", pretty)).endswith(pretty.document[1:])


@pytest.mark.parametrize(
    "event", [FULL, FULL | {"idp": {"n": 1.5, "a": '"},"x":"'}}, {}, {"event.id": "e9"}, FULL | {"user.name": "}{,"}], ids=str
)
def test_the_way_back(event: dict[str, Any]) -> None:
    given = entry(event)
    for document in (plain("acme", given), indexed("acme", given)):
        if document is not None:
            assert msgspec.json.decode(original(document)) == {"log.position": render(7)} | event
            back = entry_of("acme", identity("acme", given.event_id), document)
            assert (back.position, back.event_id, back.time, msgspec.json.decode(back.document)) == (7, given.event_id, 42, event)


@given(entries("acme", most=3))
def test_the_way_back_of_any_event(batch: list[Entry]) -> None:
    for found in batch:
        document = plain("acme", found) or indexed("acme", found)
        assert b"\n" not in document
        assert msgspec.json.decode(original(document)) == decoded(found)


@pytest.mark.parametrize("document", [b"", b"{", b"[1]", b'"x"', b"\xff", b'{"a":"\xff"}', b"{}}", b"[" * 100_000], ids=repr)
def test_what_is_no_event_is_refused(document: bytes) -> None:
    broken = Entry(7, "e1", 42, document)
    assert plain("acme", broken) is None
    with pytest.raises(ValueError, match="not a JSON object"):
        indexed("acme", broken)


def test_ids_never_meet() -> None:
    odd = ["", ":", "e1", "acme:e1", ":" + "0" * 64, "x" * 512, "x" * 513, "é" * 300, "é" * 301, "x" * 4096]
    names = [identity(tenant, event_id) for tenant in ("acme", "acme-1") for event_id in odd]
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) <= 512
    assert identity("acme", "x" * 4096 + "!") == identity("acme", "x" * 4096 + "?"), "as all values, they are trimmed"


@given(st.lists(st.text(alphabet="aé1", min_size=1, max_size=400), min_size=1, max_size=3), st.integers(0, 400))
def test_long_words_are_cut_so_that_phrases_and_prefixes_hold(said: list[str], cut: int) -> None:
    found = spoken(" ".join(said)).split()
    assert tokens(tuple(words(" ".join(said))), prefix=False) == found
    begun = tokens((*said[:-1], said[-1][: max(1, cut)]), prefix=True)
    assert len(begun) <= len(found)
    assert begun[:-1] == found[: len(begun) - 1]
    assert found[len(begun) - 1].startswith(begun[-1])
