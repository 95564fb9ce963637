"""What a query's text means, and what is refused, where and with which hint."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import QueryError
from streams.query.addresses import HIGHEST, LOWEST, number
from streams.query.parser import parse
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words

NOW = 1_795_428_000_000  # 2026-11-23T10:00:00Z
HOUR = 3_600_000
DAY_START = NOW - 10 * HOUR

A, B, C = (Words(None, (word,)) for word in "abc")

MEANINGS: dict[str, Query] = {
    "": MatchAll(),
    " \t": MatchAll(),
    "*": MatchAll(),
    "*:*": MatchAll(),
    "Alice": Words(None, ("alice",)),
    '"Invalid user"': Words(None, ("invalid", "user")),
    "ali*": Words(None, ("ali",), prefix=True),
    "invalid_us*": Words(None, ("invalid", "us"), prefix=True),
    "'tis": Words(None, ("tis",)),
    "user.name:Alice": Term("user.name", "Alice"),
    'user.name : "a b"': Term("user.name", "a b"),
    'user.name:""': Term("user.name", ""),
    "user.name:'x'": Term("user.name", "'x'"),
    "user.name:ali*": Prefix("user.name", "ali"),
    "user.name:*": Prefix("user.name", ""),
    r"user.name:a\*": Term("user.name", "a*"),
    r"user.name:a\:b\ c": Term("user.name", "a:b c"),
    r'user.name:"a\"b\\"': Term("user.name", 'a"b\\'),
    'user.name:"a*"': Term("user.name", "a*"),
    "message:Foo-bar": Words("message", ("foo", "bar")),
    "message:*": Prefix("message", ""),
    "idp.details.auth_method:openid*": Prefix("idp.details.auth_method", "openid"),
    r'idp.a\:b=c:"urn:x"': Term("idp.a:b=c", "urn:x"),
    "source.ip:10.0.0.1": Term("source.ip", "10.0.0.1"),
    'source.ip:"2001:DB8:0::1"': Term("source.ip", "2001:db8::1"),
    'source.ip:"::ffff:10.0.0.1"': Term("source.ip", "10.0.0.1"),
    "source.ip:10.1.2.3/8": AddressRange("source.ip", number("10.0.0.0") or 0, number("10.255.255.255") or 0),
    'source.ip:"2001:db8::/32"': AddressRange("source.ip", 0x20010DB8 << 96, (0x20010DB9 << 96) - 1),
    "source.ip:{10.0.0.1 TO 10.0.0.9]": AddressRange("source.ip", number("10.0.0.2") or 0, number("10.0.0.9") or 0),
    "source.ip:*": AddressRange("source.ip", LOWEST, HIGHEST),
    "@timestamp:now": TimeRange("@timestamp", NOW, NOW),
    "@timestamp:[now-1h TO *]": TimeRange("@timestamp", NOW - HOUR, None),
    "@timestamp:[* TO now+15m}": TimeRange("@timestamp", None, NOW + 900_000 - 1),
    "@timestamp:2026-11-23": TimeRange("@timestamp", DAY_START, DAY_START + 24 * HOUR - 1),
    "@timestamp:>2026-11-23": TimeRange("@timestamp", DAY_START + 24 * HOUR, None),
    "@timestamp:<=2026-11-23": TimeRange("@timestamp", None, DAY_START + 24 * HOUR - 1),
    "@timestamp:<2026-11-23T10:00Z": TimeRange("@timestamp", None, NOW - 1),
    "@timestamp:2026-11-23T10:00:00.1239Z": TimeRange("@timestamp", NOW + 123, NOW + 123),
    '@timestamp:"2026-11-23T11:00:00+01:00"': TimeRange("@timestamp", NOW, NOW),
    "event.ingested:*": TimeRange("event.ingested", None, None),
    "a b": And((A, B)),
    "a AND b": And((A, B)),
    "a && b": And((A, B)),
    "+a +b": And((A, B)),
    "a || b": Or((A, B)),
    "a -b": And((A, Not(B))),
    "a !b": And((A, Not(B))),
    "NOT (a OR b)": Not(Or((A, B))),
    "a b OR c": And((A, Or((B, C)))),
    "a OR b AND c": Or((A, And((B, C)))),
    "a and b": And((A, Words(None, ("and",)), B)),
    "event.action:(login OR log*)": Or((Term("event.action", "login"), Prefix("event.action", "log"))),
    "event.action:(-login)": Not(Term("event.action", "login")),
}

REFUSALS: dict[str, tuple[str, int, str]] = {
    "a user.nam:x": ("unknown field `user.nam`", 2, "did you mean `user.name`?"),
    "username:x": ("unknown field `username`", 0, "did you mean `user.name`?"),
    "idp:x": ("`idp` needs a path", 0, "idp.details.auth_method"),
    "user.name:a*b": ("a wildcard inside a value", 11, r"write \*"),
    "user.name:a?": ("a wildcard inside a value", 11, r"write \*"),
    "&& && user.name:a*b": ("unexpected `&&`", 0, "before `&&`"),
    "a && user.name:a*b": ("a wildcard inside a value", 16, r"write \*"),
    "alise~2": ("fuzzy", 5, r"\~"),
    '"a b"~2': ("fuzzy", 5, r"\~"),
    "a^2": ("boosts", 1, r"\^"),
    "user.name:/a.*/": ("regular expressions", 10, "quotes"),
    "user.name:[a TO b]": ("`user.name` takes no ranges", 10, "dates and IP"),
    "user.name:>a": ("`user.name` takes no ranges", 10, "dates and IP"),
    "[a TO b]": ("a range without a field", 0, "name it"),
    "idp.grant:urn:x:y": ("a colon inside an unquoted value", 13, '"urn:x:y"'),
    "source.ip:2001:db8::1": ("a colon inside an unquoted value", 14, '"2001:db8::1"'),
    "user.name: b:c": ("a field within a field", 11, "quotes"),
    "(a OR (b)": ("`(` is never closed", 0, ""),
    "a)": ("`)` was never opened", 1, ""),
    'a "b c': ("the quote is never closed", 2, '"'),
    "a AND": ("the query ends too early", 5, "follow `AND`"),
    "user.name:x OR ": ("the query ends too early", 15, "follow `OR`"),
    "a && !": ("the query ends too early", 6, "follow `!`"),
    "a NOT": ("the query ends too early", 5, "follow `NOT`"),
    "(a AND) b": ("unexpected `)`", 6, "follow `AND`"),
    "a AND OR b": ("unexpected `OR`", 6, "follow `AND`"),
    "OR a": ("unexpected `OR`", 0, "before `OR`"),
    "user.name:": ("the query ends too early", 10, "follow `:`"),
    "()": ("unexpected `)`", 1, "quotes"),
    "a\\": ("a backslash escapes nothing", 1, r"\\"),
    '"..."': ("there is no word", 0, ""),
    "source.ip:10.0.0.300": ("not an IP address", 10, "10.0.0.1"),
    "source.ip:10.0.0.0/33": ("not a network", 10, "10.0.0.0/8"),
    "source.ip:10.*": ("takes no beginnings", 10, "a network"),
    "@timestamp:2026-11-23T10:00:00": ("no time zone", 11, "add a zone, as 2026-11-23T10:00:00Z"),
    "@timestamp:2026-13-01": ("not a date", 11, ""),
    "@timestamp:yesterday": ("not a date", 11, "now-1h"),
    "@timestamp:now-9y": ("not a date", 11, "s, m, h, d, w"),
    "@timestamp:now+999999999w": ("outside the years", 11, ""),
    "(" * 51 + "a" + ")" * 51: ("nested more than 50 deep", 50, ""),
    "a\ud800": ("half a surrogate pair", 1, ""),
}


@pytest.mark.parametrize("text", MEANINGS)
def test_means(text: str) -> None:
    assert parse(text, now=NOW) == MEANINGS[text]


@pytest.mark.parametrize("text", REFUSALS)
def test_refuses(text: str) -> None:
    message, position, hint = REFUSALS[text]

    with pytest.raises(QueryError) as refused:
        parse(text, now=NOW)

    assert message in str(refused.value)
    assert refused.value.position == position
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    "text", ["-" * 3000 + "a", "NOT " * 1500 + "a", "a:" * 3000, "a " * 513, "a" * 8193, "user.name:( " * 60, "(-" * 49 + "a"]
)
def test_bounds_what_it_reads(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text, now=NOW)


def test_takes_what_is_within_the_bounds() -> None:
    parse("(" * 50 + "a" + ")" * 50, now=NOW)
    parse(" OR ".join(f"user.name:u{number}" for number in range(300)), now=NOW)


def test_trims_values_as_an_index_does() -> None:
    assert parse("user.name:" + "x" * 5000, now=NOW) == Term("user.name", "x" * 4096)


@given(st.text(max_size=60) | st.text(alphabet="ab:*?()[]{}\"\\/~^+-!&|<>=' .10T\n", max_size=30))
def test_never_raises_anything_else_on_any_text(text: str) -> None:
    _parse_or_refuse(text)


@given(st.data())
@settings(max_examples=300)
def test_never_raises_anything_else_on_nearly_valid_queries(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([*MEANINGS, *REFUSALS]))
    for _ in range(data.draw(st.integers(1, 4))):
        at, size = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.text(max_size=3) | st.sampled_from(list('()[]:"*\\-!'))) + text[at + size :]
    _parse_or_refuse(text)


def _parse_or_refuse(text: str) -> None:
    refused = None
    try:
        parse(text, now=NOW)
    except QueryError as error:
        refused = error
    assert refused is None or refused.position is not None
    assert refused is None or 0 <= (refused.position or 0) <= len(text)
