"""Decoding: clean bytes stay as they are, dirty ones are mended and marked, the rest is refused with a reason."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event import INVALID_CHARACTERS
from streams.sources.decode import MAX_EVENT_BYTES, Decoded, decode
from streams.sources.mend import MAX_DEPTH
from tests.streams.sources.samples import SAMPLES, lines

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
PARTS = st.recursive(LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3), max_leaves=6)
OBJECTS = st.dictionaries(st.text(max_size=4), PARTS, max_size=4)


def refusal(value: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(value)
    assert Reason(caught.value.reason)
    return caught.value


def attempt(value: bytes) -> Decoded | Reason:
    try:
        return decode(value)
    except DecodeError as error:
        return Reason(error.reason)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_bytes_of_clean_events_are_kept(sample: str) -> None:
    for line in lines(sample):
        decoded = decode(line)

        assert decoded.document == line
        assert decoded.raw == json.loads(line)
        assert decoded.tags == ()


@pytest.mark.parametrize(
    "clean",
    [
        rb'{"a":"\uD83D\uDE00 \/ \\u0000"}',
        b'{"a":1.50e2,"b":-0,"c":1E5}',
        b'{ "a" : [ 1 , 2 ] }',
        b'{"a":' + b"9" * 400 + b"}",
        '{"a":"\u202e\u2028<script>é\x7f"}'.encode(),
        b'{"a":"' + b"[{" * 100 + b'"}',
    ],
)
def test_escapes_numbers_and_spaces_are_kept(clean: bytes) -> None:
    decoded = decode(clean)

    assert decoded.document == clean
    assert decoded.raw == json.loads(clean)
    assert decoded.tags == ()


def test_surrounding_space_and_a_byte_order_mark_do_not_matter() -> None:
    assert decode(b'\xef\xbb\xbf  {"a":1}\r\n').document == b'{"a":1}'


def test_pretty_printed_events_become_one_line() -> None:
    assert decode(b'{\r\n  "a": "\\uD83D\\uDE00",\n  "b": [1,\n 2]\n}').document == b'{"a":"\\uD83D\\uDE00","b":[1,2]}'


@pytest.mark.parametrize(
    ("dirty", "mended"),
    [
        (b'{"a":"x\x00y"}', {"a": "x\ufffdy"}),
        (b'{"a":"x\\u0000y"}', {"a": "x\ufffdy"}),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
        (b'{"a":"\\udc00\\ud800"}', {"a": "\ufffd\ufffd"}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (b'{"a":"\xed\xa0\x80"}', {"a": "\ufffd\ufffd\ufffd"}),
        (b'{"a":"\xc0\x80"}', {"a": "\ufffd\ufffd"}),
        (b'{"a":["\\u0000",{"b":"\\udfff"}]}', {"a": ["\ufffd", {"b": "\ufffd"}]}),
        (b'{"a\\u0000":1}', {"a\ufffd": 1}),
        (b'{"a\\ud800":1}', {"a\ufffd": 1}),
        (b'{"a":"\x1b[2J\n"}', {"a": "\x1b[2J\n"}),
    ],
)
def test_invalid_characters_are_replaced_and_marked(dirty: bytes, mended: object) -> None:
    decoded = decode(dirty)

    assert decoded.raw == mended
    assert json.loads(decoded.document) == mended
    assert b"\n" not in decoded.document
    assert decoded.tags == (INVALID_CHARACTERS,)


def test_keys_that_differ_in_invalid_characters_alone_all_stay() -> None:
    decoded = decode(b'{"a\\u0000":1,"a\\ud800":2,"a":3,"a\xff":4,"a\xef\xbf\xbd":5}')

    assert sorted(decoded.raw.values()) == [1, 2, 3, 4, 5]
    assert decoded.raw["a"] == 3
    assert decoded.raw["a\ufffd"] == 5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "empty"),
        (b'{"a":1', "cut off"),
        (b'{"a":"b', "cut off"),
        (b'{"a":"\\u00', "not JSON at byte"),
        (b'{"a":tru}', "at byte 5 of 9"),
        ('{"é":"é"x}'.encode(), "at byte 10 of 12"),
        (b'{"a":1}{"a":2}', "at byte 7 of 14"),
        (b'{"a":1}\xff', "at byte 7 of 8"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":1e999}', "a double"),
        (b'{"a":' + b"9" * 5000 + b"}", "4,300 digits"),
        (b"hello", "not JSON at byte 0"),
    ],
)
def test_what_is_not_json_is_refused_and_the_place_named(value: bytes, message: str) -> None:
    error = refusal(value)

    assert error.reason == Reason.NOT_JSON
    assert message in str(error)


@pytest.mark.parametrize(
    "value", [b"[]", b"1", b"1.5", b'"text"', b"true", b"null", b'[{"realmId":"a"}]', b"[[1 ,\n2]]", b'"\\u0000"', b'"\xff"']
)
def test_what_is_not_an_object_is_refused(value: bytes) -> None:
    assert refusal(value).reason == Reason.NOT_AN_OBJECT


@pytest.mark.parametrize(
    "value",
    [
        b'{"realmId":"a","realmId":"b"}',
        b'{"realmId":"a","realmId" : "b"}',
        b'{"realmId":"a","realm\\u0049d":"b"}',
        b'{"realmId":"a",\n"realmId":"a"}',
        b'{"details":{"username":"a","username":"b"}}',
        b'{"a":"\\u0000","b":1,"b":1}',
        b'{"a":"\xff","b":1,"b":1}',
    ],
)
def test_two_values_of_one_key_are_refused(value: bytes) -> None:
    assert refusal(value).reason == Reason.DUPLICATE_KEY


def test_events_may_be_so_long_and_no_longer() -> None:
    longest = b'{"a":"' + b"x" * (MAX_EVENT_BYTES - 8) + b'"}'

    assert decode(longest).document == longest
    assert refusal(longest + b" ").reason == Reason.TOO_LARGE
    assert refusal(b"x" * 2_000_000).reason == Reason.TOO_LARGE


def test_mending_can_make_an_event_too_long() -> None:
    assert refusal(b'{"a":"' + b"\xff" * (MAX_EVENT_BYTES // 2) + b'"}').reason == Reason.TOO_LARGE


def test_events_may_be_so_deep_and_no_deeper() -> None:
    def nest(depth: int, inside: bytes = b"1") -> bytes:
        return b'{"a":' * depth + inside + b"}" * depth

    assert decode(nest(MAX_DEPTH)).document == nest(MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500, 990, 5_000, 100_000):
        assert refusal(nest(depth)).reason == Reason.TOO_DEEP
        assert refusal(nest(depth, b'"\xff"')).reason == Reason.TOO_DEEP
    assert refusal(b"[" * MAX_EVENT_BYTES).reason == Reason.TOO_DEEP


@pytest.mark.parametrize(
    "hostile",
    [
        b"{" + b",".join(b'"\\ud8%02x\\ud8%02x":1' % (n % 200, n // 200) for n in range(40_000)) + b"}",
        b"{" + b",".join(b'"%d":1' % n for n in range(80_000)) + b',"1":2}',
        b'{"a":"' + b"\\" * 900_000 + b'"}',
        b'{"a":"' + b"\xff" * 300_000 + b'"}',
    ],
)
def test_hostile_events_take_no_longer_than_their_length_explains(hostile: bytes) -> None:
    begin = time.process_time()

    attempt(hostile)

    assert time.process_time() - begin < 5


@given(OBJECTS)
def test_every_json_object_is_decoded_as_it_is(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":")), json.dumps(value, indent=1)):
        encoded = text.encode("utf-8", "surrogatepass")
        decoded = decode(encoded)

        assert json.loads(decoded.document) == decoded.raw
        assert b"\n" not in decoded.document
        if not decoded.tags:
            assert decoded.raw == value


@given(
    st.binary()
    | OBJECTS.map(lambda value: json.dumps(value).encode()).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
)
def test_bytes_are_decoded_or_refused(value: bytes) -> None:
    decoded = attempt(value)

    assert isinstance(decoded, Reason) or json.loads(decoded.document) == decoded.raw
