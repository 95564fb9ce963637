"""The query language: Lucene's syntax over the declared fields, as a tree with fields resolved and values typed.

What is promised, and what each means:

- `alice` · `"invalid user"` · `ali*`: words, phrases and beginnings of words, in any case, in the fields with `words=True`;
- `user.name:alice` · `user.name:"a b"` · `user.name:ali*` · `user.name:*`: exact, case-sensitive; begins with; is there;
- `idp.details.auth_method:openid-connect`: the source's own object, by path; exact values and beginnings only;
- `@timestamp:[now-1h TO *]` · `{a TO b}` · `>` `>=` `<` `<=`: ranges of dates (see `streams.query.times`; a day is that whole day in
  UTC) and of IP addresses; `source.ip:10.0.0.0/8` is a network; IPv6 in quotes;
- `AND`, `OR`, `NOT`, `&&`, `||`, `!`, `-`, parentheses, `field:(a OR b)`; `+` says what is so anyway: parts that merely stand beside
  each other must all match, and bind more loosely than `OR`, so that `a b OR c` is `a AND (b OR c)`;
- a backslash escapes the next character; `*`, `*:*` and an empty query are every event.

Fuzzy terms, boosts, regular expressions, wildcards elsewhere than at the end, and ranges on other fields are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from luqum import thread, tree
from luqum.exceptions import IllegalCharacterError, ParseError

from streams.errors import QueryError
from streams.fields import Field, FieldType, trim
from streams.query.addresses import HIGHEST, LOWEST, number, parse_network, text_of
from streams.query.names import resolve
from streams.query.scan import MAX_DEPTH, Scanned, scan
from streams.query.times import Moment, parse_time
from streams.query.tree import AddressRange, And, MatchAll, Not, Or, Prefix, Query, Term, TimeRange, Words
from streams.query.words import words

_Bound = TypeVar("_Bound")

_AT = re.compile(r"position (\d+)")
_SIGN = re.compile(r"&&|\|\||\w+|\S")
_OPEN_END = re.compile(r"(?:^|[\s(:])(AND|OR|NOT|&&|\|\||[!+-])$|(:|[<>]=?)$")
"""What something must follow."""
_BETWEEN = frozenset({"AND", "OR", "&&", "||"})


def parse(text: str, *, now: int) -> Query:
    """The query that a text means.

    Args:
        text: what a person typed.
        now: the moment that `now` means, in epoch milliseconds.

    Raises:
        QueryError: the text means nothing here; says where, and what would be right.
    """
    scanned = scan(text)
    if not scanned.text.strip():
        return MatchAll()
    try:
        root = thread.parse(scanned.text)
    except (ParseError, IllegalCharacterError) as error:
        found = _AT.search(str(error))
        at = scanned.at(int(found[1])) if found else len(text)
        sign = _SIGN.match(text, at or 0)
        message = f"unexpected `{sign[0]}`" if sign else "the query ends too early"
        raise QueryError(message, position=at, hint=_lacks(text[:at].rstrip(), sign[0] if sign else "")) from None
    return _Reader(scanned, now).read(root, None, "", 0)


def _lacks(before: str, sign: str) -> str:
    """What would be right instead of `sign`, or of the end, behind what is in front of it."""
    if open_end := _OPEN_END.search(before):
        return f"something to find must follow `{open_end[1] or open_end[2]}`"
    if sign in _BETWEEN:
        return f"something to find must stand before `{sign}`, too"
    return "put a value with special characters in quotes"


MAX_OPEN_ENDS = 32
"""Values that end with `*`: each may stand for tens of thousands of terms."""


class _Reader:
    """Makes our tree of luqum's."""

    def __init__(self, scanned: Scanned, now: int) -> None:
        self._scanned = scanned
        self._now = now
        self._open_ends = 0

    def read(self, node: tree.Item, field: Field | None, name: str, depth: int) -> Query:
        """What `node` means within `field:(…)`, called `name`; outside of one, `field` is None."""
        if depth > 4 * MAX_DEPTH:  # a parenthesis with an operator in it, a sign and a field are up to four levels of the tree
            raise QueryError("the query nests too deep", position=self._at(node))
        match node:
            case tree.SearchField():
                return self._field(node, field, depth)
            case tree.BaseGroup() | tree.Plus():
                return self.read(node.children[0], field, name, depth + 1)
            case tree.Not() | tree.Prohibit():
                return Not(self.read(node.children[0], field, name, depth + 1))
            case tree.OrOperation():
                return Or(self._parts(node.children, field, name, depth))
            case tree.AndOperation() | tree.UnknownOperation():
                return And(self._parts(node.children, field, name, depth))
            case tree.Word() | tree.Phrase():
                value, open_end = self._value(node)
                self._open_ends += open_end
                if self._open_ends > MAX_OPEN_ENDS:
                    hint = "ask in several queries"
                    raise QueryError(f"the query has more than {MAX_OPEN_ENDS} values with `*`", position=self._at(node), hint=hint)
                return self._leaf(field, name, value, open_end, self._at(node))
            case tree.Range():
                return self._range(node, field, node.low, node.high, low=node.include_low, high=node.include_high)
            case tree.From():
                return self._range(node, field, node.a, None, low=node.include, high=True)
            case tree.To():
                return self._range(node, field, None, node.a, low=True, high=node.include)
        raise QueryError("this part of Lucene's syntax is not supported", position=self._at(node))

    def _parts(self, nodes: Sequence[tree.Item], field: Field | None, name: str, depth: int) -> tuple[Query, ...]:
        """What the nodes mean, each meaning once: saying a thing five hundred times must not cost five hundred times as much."""
        return tuple(dict.fromkeys(self.read(node, field, name, depth + 1) for node in nodes))

    def _at(self, node: Any) -> int | None:
        return self._scanned.at(node.pos)

    def _field(self, node: Any, outer: Field | None, depth: int) -> Query:
        at = self._at(node)
        if outer is not None:
            raise QueryError("a field within a field", position=at, hint='put a value with a colon in quotes, as field:"a:b"')
        name, wildcard = _unescape(node.name)
        inner = node.children[0]
        if name == "*" and wildcard == 0 and isinstance(inner, tree.Word) and inner.value == "*":
            return MatchAll()
        return self.read(inner, resolve(name, position=at), name, depth + 1)

    def _value(self, node: Any) -> tuple[str, bool]:
        """The text that a word or phrase means, and whether `*` leaves its end open."""
        if isinstance(node, tree.Phrase):
            return re.sub(r"\\(.)", r"\1", node.value[1:-1]), False
        value, wildcard = _unescape(node.value)
        if wildcard is None:
            return value, False
        if wildcard != len(node.value) - 1 or node.value[-1] == "?":
            raise QueryError(
                "a wildcard inside a value",
                position=self._scanned.at(node.pos + wildcard),
                hint=r"only a `*` at the end is supported; write \* or \? for the character itself",
            )
        return value[:-1], True

    def _leaf(self, field: Field | None, name: str, value: str, open_end: bool, at: int | None) -> Query:
        if field is None:
            return MatchAll() if open_end and not value else self._words(None, value, open_end, at)
        match field.type:
            case FieldType.DATE:
                if open_end:
                    return TimeRange(name, None, None) if not value else self._no_prefix(name, "a range, as [now-1h TO *]", at)
                moment = parse_time(value, now=self._now, position=at)
                return TimeRange(name, moment.first, moment.last)
            case FieldType.IP:
                if open_end:
                    return AddressRange(name, LOWEST, HIGHEST) if not value else self._no_prefix(name, "a network, as 10.0.0.0/8", at)
                first, last = parse_network(value, position=at)
                return Term(name, text_of(first)) if first == last else AddressRange(name, first, last)
            case FieldType.TEXT:
                return Prefix(name, "") if open_end and not value else self._words(name, value, open_end, at)
            case _:
                return Prefix(name, trim(value)) if open_end else Term(name, trim(value))

    def _no_prefix(self, name: str, instead: str, at: int | None) -> Query:
        raise QueryError(f"`{name}` takes no beginnings of values", position=at, hint=f"ask for {instead}")

    def _words(self, name: str | None, value: str, open_end: bool, at: int | None) -> Query:
        found = tuple(words(trim(value)))
        if not found:
            raise QueryError("there is no word to look for", position=at, hint="name the field to look for signs")
        return Words(name, found, prefix=open_end)

    def _range(self, node: Any, field: Field | None, first: Any, last: Any, *, low: bool, high: bool) -> Query:
        if field is None:
            raise QueryError("a range without a field", position=self._at(node), hint="name it, as @timestamp:[now-1h TO *]")
        if field.type is FieldType.DATE:
            begin, end = self._bound(first, self._moment), self._bound(last, self._moment)
            return TimeRange(
                field.name,
                None if begin is None else begin.first if low else begin.last + 1,
                None if end is None else end.last if high else end.first - 1,
            )
        if field.type is FieldType.IP:
            lowest, highest = self._bound(first, self._address), self._bound(last, self._address)
            return AddressRange(
                field.name,
                LOWEST if lowest is None else lowest + (not low),
                HIGHEST if highest is None else highest - (not high),
            )
        raise QueryError(f"`{field.name}` takes no ranges", position=self._at(node), hint="ranges are for dates and IP addresses")

    def _bound(self, node: Any, read: Callable[[str, int | None], _Bound]) -> _Bound | None:
        """What one end of a range means; None is open."""
        if node is None or (isinstance(node, tree.Word) and node.value == "*"):
            return None
        if not isinstance(node, tree.Term):
            raise QueryError("a sign before the end of a range", position=self._at(node))
        value, open_end = self._value(node)
        if open_end:
            raise QueryError("a wildcard in a range", position=self._at(node), hint="an open end is a single `*`")
        return read(value, self._at(node))

    def _moment(self, value: str, at: int | None) -> Moment:
        return parse_time(value, now=self._now, position=at)

    def _address(self, value: str, at: int | None) -> int:
        found = number(value)
        if found is None:
            raise QueryError(f"`{value[:60]}` is not an IP address", position=at, hint='write it as 10.0.0.1 or "2001:db8::1"')
        return found


def _unescape(text: str) -> tuple[str, int | None]:
    """The text without its escapes, and where its first bare wildcard is, in the text as it was."""
    value: list[str] = []
    wildcard = None
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in "*?" and wildcard is None:
            wildcard = at
        value.append(text[at])
        at += 1
    return "".join(value), wildcard
