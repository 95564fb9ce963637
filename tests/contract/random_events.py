"""Events and queries at random, as odd as they may come, for the contract of `SearchIndex`."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from streams.event import iso
from streams.position import position, render
from streams.query.addresses import HIGHEST, LOWEST, number, text_of
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words
from streams.query.words import words
from streams.search_index import Entry

START = 1_795_428_000_000

LONG = "long" * 1200
ODD = [
    "",
    "a",
    "A",
    "a b",
    "login_error",
    "LOGIN",
    "user@example.com",
    "é",
    "ÜBER straße",
    "日本 語",
    "😀",
    "a\x00b",
    "a|b",
    "x=y",
    "x\\=y",
    '"',
    "*",
    LONG,
    LONG + "!",
    "2026-11-23T10:00:00Z",
    "2026-11-23",
    "true",
    "null",
    "12",
    "1.5",
    "urn:ietf:params",
    "\u0130stanbul",
    "a\tb\n c",
    "-",
    "NOT",
]
ADDRESSES = [
    "10.0.0.1",
    "10.0.0.2",
    "10.255.0.1",
    "192.168.1.1",
    "2001:db8::1",
    "2001:DB8:0::2",
    "::1",
    "::ffff:10.0.0.1",
    "fe80::1%eth0",
    "unknown",
    "10.0.0.300",
    "",
]
KEYS = ["a", "b", "a.b", "a=b", "=", "é", "auth_method", "a\\", " ", "x y"]
TIMES = [START, START, START, START + 1, START + 999, START + 1000, START + 3_600_000, START - 86_400_000, 0, 1]

texts = st.sampled_from(ODD) | st.text(max_size=6)
scalars = texts | st.integers(-3, 3) | st.booleans() | st.none() | st.sampled_from([1.5, -0.25])
keys = st.sampled_from(KEYS)
objects: st.SearchStrategy[Any] = st.dictionaries(
    keys,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6),
    max_size=4,
)
KEYWORDS = ["event.action", "event.outcome", "event.reason", "user.id", "user.name", "client.id", "session.id"]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """An event without its id, position and tenant."""
    event: dict[str, Any] = {"@timestamp": iso(draw(st.sampled_from(TIMES))), "event.ingested": iso(draw(st.sampled_from(TIMES)))}
    for name in KEYWORDS:
        if draw(st.booleans()):
            event[name] = draw(texts)
    if draw(st.booleans()):
        event["source.ip"] = draw(st.sampled_from(ADDRESSES))
    if draw(st.booleans()):
        event["message"] = draw(texts)
    if draw(st.booleans()):
        event["tags"] = draw(st.lists(st.sampled_from(["trimmed", "invalid_characters", "odd"]), max_size=3, unique=True))
    event["idp"] = draw(objects)
    return event


@st.composite
def entries(draw: st.DrawFn, tenant: str, most: int = 25) -> list[Entry]:
    """Events at growing positions; times in any order, many the same."""
    found = []
    for at, event in enumerate(draw(st.lists(documents(), min_size=1, max_size=most))):
        event |= {"event.id": f"e{at}", "tenant.id": tenant}
        found.append(entry(event, position(7 + at // 4, at % 4)))
    return found


def entry(event: dict[str, Any], at: int) -> Entry:
    """The entry of an event whose `@timestamp` is one of `TIMES`."""
    time = next(time for time in TIMES if iso(time) == event["@timestamp"])
    return Entry(at, event["event.id"], time, msgspec.json.encode(event))


def decoded(entry: Entry) -> dict[str, Any]:
    """The event as a search returns it."""
    return {"log.position": render(entry.position), **msgspec.json.decode(entry.document)}


paths = st.lists(keys, min_size=1, max_size=3).map(lambda parts: "idp." + ".".join(parts))
fields = st.sampled_from([*KEYWORDS, "tags", "tenant.id", "event.id", "log.position"]) | paths
values = texts | st.sampled_from(["e1", "e2", "trimmed", "acme", "1", "-3", "true", "0000000000700001", "00000000007"])
times = st.none() | st.sampled_from(TIMES)
addresses = st.sampled_from([found for text in ADDRESSES if (found := number(text)) is not None] + [LOWEST, HIGHEST])
spoken = st.lists(texts, min_size=1, max_size=2).map(lambda parts: tuple(words(" ".join(parts)))).filter(bool)

leaves: st.SearchStrategy[Query] = st.one_of(
    st.just(MatchAll()),
    st.builds(Term, fields, values),
    st.builds(Prefix, fields, values | values.map(lambda value: value[:2])),
    st.builds(Prefix, st.just("message"), st.just("")),
    st.builds(Words, st.sampled_from([None, "message"]), spoken, st.booleans()),
    st.builds(TimeRange, st.sampled_from(["@timestamp", "event.ingested"]), times, times),
    st.builds(AddressRange, st.just("source.ip"), addresses, addresses),
    st.builds(Term, st.just("source.ip"), addresses.map(text_of)),
)
queries: st.SearchStrategy[Query] = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=5,
)
