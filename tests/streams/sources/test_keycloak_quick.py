"""The quick way for Keycloak's user events comes to what the careful way comes to, or leaves the event to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import DecodeError
from streams.sources import keycloak_quick
from streams.sources.decode import decode
from streams.sources.registry import recognise
from streams.sources.source import Normalised
from tests.streams.sources.samples import lines

FIELDS = ("id", "time", "type", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error", "details")
LOGIN = b'{"id":"e1","time":1795452710932,"type":"LOGIN","realmId":"r1","realmName":null,"details":{"username":"ann"}}'

plain = st.sampled_from(["", "e1", "LOGIN", "LOGIN_ERROR", "r1", "tenantry:x", "é", "\N{OLD ITALIC LETTER A}", "a=b", "x" * 500])
present = st.one_of(st.none(), plain)
usual = {
    "time": st.integers(-(1 << 70), 1 << 70),
    "details": st.one_of(st.none(), st.dictionaries(st.one_of(st.just("username"), plain), plain)),
}
texts = st.one_of(plain, st.sampled_from(["\ud800", "\x00", "\\u0000"]), st.text())
odd = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.lists(st.text(), max_size=2))
strange = st.one_of(texts, odd, st.dictionaries(texts, st.one_of(texts, odd), max_size=3))


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """An event as Keycloak writes it; half of them with something that Keycloak would not do."""
    event: dict[str, Any] = {}
    for field in FIELDS:
        if field in {"id", "time", "type", "realmId"}:
            event[field] = draw(usual.get(field, plain))
        elif draw(st.booleans()):
            event[field] = draw(usual.get(field, present))
    if draw(st.booleans()):
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    for _ in range(draw(st.integers(0, 2))):
        event[draw(st.sampled_from(FIELDS))] = draw(strange)
    if draw(st.booleans()):
        event[draw(texts)] = draw(strange)
    if draw(st.booleans()):
        event = {field: event[field] for field in draw(st.permutations(list(event)))}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    value = json.dumps(event, separators=separators, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    return value.replace(b'"id":', b'"id":"first","id":', 1) if draw(st.booleans()) else value


def carefully(value: bytes) -> Normalised:
    decoded = decode(value)
    assert decoded.document == value
    assert decoded.tags == ()
    return recognise(decoded.raw).normalise(decoded.raw)


@given(written())
def test_both_ways_come_to_the_same(value: bytes) -> None:
    quick = keycloak_quick.normalised(value)
    if quick is not None:
        assert quick == carefully(value)


def test_nearly_every_recorded_event_takes_the_quick_way() -> None:
    recorded = [line for file in ("keycloak events", "keycloak listener-events") for line in lines(file) if b'"type"' in line]
    quick = {line: found for line in recorded if (found := keycloak_quick.normalised(line)) is not None}
    assert len(quick) > 0.99 * len(recorded)
    for line, found in quick.items():
        assert found == carefully(line)


def test_what_it_takes() -> None:
    found = keycloak_quick.normalised(LOGIN)
    assert found is not None
    assert (found.id, found.action, found.user_name, found.outcome) == ("e1", "login", "ann", "success")


@pytest.mark.parametrize(
    "value",
    [
        LOGIN.replace(b'"id":"e1"', b'"id":"e0","id":"e1"'),
        LOGIN.replace(b'"username":"ann"', b'"username":"bob","username":"ann"'),
        LOGIN.replace(b"ann", b"a\\u0000nn"),
        LOGIN.replace(b"ann", b"a\x00nn"),
        LOGIN.replace(b"ann", b"a\xffnn"),
        LOGIN.replace(b"ann", b"\xed\xa0\x80"),
        LOGIN.replace(b"ann", b"\\u0061nn"),
        LOGIN.replace(b"1795452710932", b"1795452710932.0"),
        LOGIN.replace(b"1795452710932", b'"1795452710932"'),
        LOGIN.replace(b"1795452710932", b"true"),
        LOGIN.replace(b'"LOGIN"', b'""'),
        LOGIN.replace(b'"r1"', b"null"),
        LOGIN.replace(b'"realmName":null', b'"specversion":"1.0"'),
        LOGIN.replace(b'"type"', b'"operationType":"CREATE","type"'),
        LOGIN.replace(b"ann", b"n" * 5000),
        b"\xef\xbb\xbf" + LOGIN,
        LOGIN + b"\n",
        b"[" * 100_000,
        b"",
    ],
)
def test_what_it_leaves_to_the_careful_way(value: bytes) -> None:
    assert keycloak_quick.normalised(value) is None


def test_the_careful_way_still_takes_what_a_person_writes() -> None:
    value = json.dumps(json.loads(LOGIN), indent=1).encode()
    assert keycloak_quick.normalised(value) is None
    decoded = decode(value)
    assert recognise(decoded.raw).normalise(decoded.raw) == keycloak_quick.normalised(LOGIN)


def test_the_quick_way_raises_nothing() -> None:
    for value in (b"\x80", b"{", b'{"id":' + b"9" * 5000 + b"}", LOGIN.replace(b"1795452710932", b"9" * 400)):
        try:
            expected = carefully(value)
        except (AssertionError, DecodeError):
            assert keycloak_quick.normalised(value) is None
        else:
            assert keycloak_quick.normalised(value) in (None, expected)
