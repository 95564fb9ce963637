"""Hostile events: nothing but a `DecodeError` comes out of them, and no username hides its event."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources.decode import decode
from streams.sources.registry import SOURCES, named, recognise
from streams.sources.source import Normalised
from tests.streams.sources.samples import SAMPLES, events, lines

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["", "\ud800", "x" * 600, 10**40]),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=5,
)
ONE_OF_EACH = [raw for sample in SAMPLES for raw in (events(sample)[0], events(sample)[-1])]
LINES = [line for sample in SAMPLES for line in lines(sample)[:10]]


def taken(value: bytes) -> Normalised:
    decoded = decode(value)
    return recognise(decoded.raw).normalise(decoded.raw)


def attempt(normalise: Callable[[], Normalised]) -> Normalised | Reason:
    try:
        return normalise()
    except DecodeError as error:
        return Reason(error.reason)


@pytest.mark.parametrize("name", SOURCES)
@given(raw=st.sampled_from(ONE_OF_EACH), changes=st.data())
def test_changed_fields_are_normalised_or_refused(name: str, raw: dict[str, Any], changes: st.DataObject) -> None:
    keys = changes.draw(st.lists(st.sampled_from([*raw, *json.dumps(raw).split('"')[1::2]]), max_size=4))
    changed = {**raw, **{key: changes.draw(VALUES) for key in keys}}

    source = named(name)
    assert source.recognises(changed) in {True, False}
    event = attempt(lambda: source.normalise(changed))
    if isinstance(event, Normalised):
        assert event.outcome in {"success", "failure", "unknown"}
        assert event.action
        assert event.id is None or len(event.id.encode("utf-8", "surrogatepass")) <= 400


@given(line=st.sampled_from(LINES), seed=st.integers(), cuts=st.integers(1, 8))
def test_damaged_lines_are_taken_or_refused(line: bytes, seed: int, cuts: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(line)
    for _ in range(cuts):
        place = chance.randrange(len(damaged))
        damaged[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))

    assert attempt(lambda: taken(bytes(damaged)))


@pytest.mark.parametrize("line", [line for sample in SAMPLES for line in lines(sample)[:2]])
def test_no_beginning_of_a_line_is_taken(line: bytes) -> None:
    for end in range(len(line)):
        with pytest.raises(DecodeError) as caught:
            taken(line[:end])
        assert caught.value.reason == Reason.NOT_JSON


@pytest.mark.parametrize(
    ("username", "found_as"),
    [
        (r"mallory\u0000@example.com", "mallory\ufffd@example.com"),
        (r"mallory\ud800@example.com", "mallory\ufffd@example.com"),
        (r"\udfff", "\ufffd"),
        ("mallory\x00", "mallory\ufffd"),
        ("\u202emoc.elpmaxe@yrollam", "\u202emoc.elpmaxe@yrollam"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        (r"\u001b[2J\u001b[31mroot", "\x1b[2J\x1b[31mroot"),
        ("\x1b[2J", "\x1b[2J"),
        (r"x\",\"realmId\":\"other", 'x","realmId":"other'),
        (r"\uD83D\uDE00", "\U0001f600"),
        ("a" * 500_000, "a" * 500_000),
    ],
)
def test_no_username_hides_a_failed_login(username: str, found_as: str) -> None:
    line = f'{{"id":"e1","time":1,"type":"LOGIN_ERROR","realmId":"r1","error":"user_not_found","details":{{"username":"{username}"}}}}'
    event = taken(line.encode())

    assert event.user_name == found_as
    assert (event.outcome, event.selectors[0].value, event.id) == ("failure", "r1", "e1")
    assert json.loads(decode(line.encode()).document)["details"]["username"] == found_as


def test_an_invalid_byte_in_a_username_does_not_hide_it() -> None:
    assert taken(b'{"type":"LOGIN_ERROR","realmId":"r1","error":"e","details":{"username":"m\xff\xfe"}}').user_name == "m\ufffd\ufffd"


def test_a_line_of_two_megabytes_is_refused_with_its_reason() -> None:
    with pytest.raises(DecodeError, match=r"2,000,0.. bytes, more than the 1,000,000") as caught:
        taken(b'{"type":"LOGIN","realmId":"r1","details":{"username":"' + b"a" * 2_000_000 + b'"}}')
    assert caught.value.reason == Reason.TOO_LARGE
