"""The first look at a query's text: what must be refused, or rewritten, before luqum's grammar sees it.

luqum accepts more of Lucene than is promised here (fuzzy terms, boosts, regular expressions), parses `a:b:c` as nested
fields, does not know `&&`, `||` and `!`, and any depth of parentheses. All that is decided here, where exact positions are
at hand, so that the grammar only sees texts of bounded size and depth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streams.errors import QueryError

MAX_CHARACTERS = 8192
MAX_CLAUSES = 512
MAX_DEPTH = 50

# The same expressions as luqum's, so that both agree where a quoted text ends and which colon belongs to a time.
_QUOTED = re.compile(r'"(?:[^\\"]|\\.)*"')
_TIME = re.compile(r"(?<=T\d{2}):\d{2}(:\d{2})?")
_OPERATOR_WORD = re.compile(r"(?:AND|OR|NOT|TO)(?![^\s:^~(){}[\]])")
_UNQUOTED_VALUE = re.compile(r"[^\s()\[\]{}\"]*")

_REFUSED = {
    "~": ("fuzzy and proximity searches are not supported", r"write \~ for a tilde that is part of the value"),
    "^": ("boosts are not supported", r"write \^ for a caret that is part of the value"),
}
_OPENED_BY = {")": "(", "]": "[{", "}": "[{"}


@dataclass(frozen=True, slots=True)
class Scanned:
    """A query's text as luqum gets it.

    Attributes:
        text: with `&&`, `||` and `!` spelt as luqum knows them.
        origin: for each character of `text`, and its end, its place in the original.
    """

    text: str
    origin: Sequence[int]

    def at(self, index: int | None) -> int | None:
        """The place in the original text of a place in the rewritten one."""
        return None if index is None else self.origin[min(max(index, 0), len(self.origin) - 1)]


def scan(text: str) -> Scanned:
    """The text, ready for luqum.

    Raises:
        QueryError: too long, too deep, too many clauses; unbalanced quotes or parentheses; a part of Lucene's syntax that is
            not promised; a colon inside an unquoted value.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the query has {len(text)} characters", position=MAX_CHARACTERS, hint=f"use at most {MAX_CHARACTERS}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError("half a surrogate pair is not a character", position=error.start) from None
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._rewritten: list[str] = []
        self._origin: list[int] = []
        self._opened: list[tuple[str, int]] = []
        self._in_term = False
        self._value_at: int | None = None  # where an unquoted value began, straight after its field's colon
        self._clauses = 0

    def run(self) -> Scanned:
        at = 0
        while at < len(self._text):
            at = self._step(at, self._text[at])
            if self._clauses > MAX_CLAUSES:
                raise QueryError(f"the query has more than {MAX_CLAUSES} clauses", position=at - 1, hint="ask in several queries")
        if self._opened:
            sign, opened_at = self._opened[-1]
            raise QueryError(f"`{sign}` is never closed", position=opened_at)
        self._origin.append(len(self._text))
        return Scanned("".join(self._rewritten), self._origin)

    def _emit(self, at: int, size: int, spelt: str | None = None) -> int:
        """Takes `size` characters, as they are or `spelt` otherwise. The place behind them."""
        if spelt is None:
            self._rewritten.append(self._text[at : at + size])
            self._origin.extend(range(at, at + size))
        else:
            self._rewritten.append(spelt)
            self._origin.extend([at] * len(spelt))
        return at + size

    def _step(self, at: int, sign: str) -> int:
        if sign.isspace():
            self._in_term, self._value_at = False, None
            return self._emit(at, 1)
        if sign in _REFUSED:
            message, hint = _REFUSED[sign]
            raise QueryError(message, position=at, hint=hint)
        if sign == '"':
            return self._quoted(at)
        if sign == ":":
            return self._colon(at)
        if sign in "([{" or sign in _OPENED_BY:
            return self._bracket(at, sign)
        if not self._in_term:
            operator = self._operator(at, sign)
            if operator is not None:
                return operator
            self._in_term = True
            self._clauses += not _OPERATOR_WORD.match(self._text, at)
            if sign == "'":  # luqum takes no word that begins with an apostrophe
                return self._emit(at, 1, r"\'")
        if sign == "\\":
            if self._text[at + 1 : at + 2] in ("", "\n"):
                raise QueryError("a backslash escapes nothing here", position=at, hint=r"write \\ for a backslash")
            return self._emit(at, 2)
        return self._emit(at, 1)

    def _quoted(self, at: int) -> int:
        if self._in_term:
            raise QueryError(
                "a quote inside a word", position=at, hint=r"quote the whole value, or write \" for a quote that is part of it"
            )
        found = _QUOTED.match(self._text, at)
        if not found:
            raise QueryError("the quote is never closed", position=at, hint='end it with `"`')
        self._clauses += 1
        self._value_at = None
        return self._emit(at, found.end() - at)

    def _colon(self, at: int) -> int:
        if self._in_term and (time := _TIME.match(self._text, at)):
            return self._emit(at, time.end() - at)
        if self._value_at is not None:
            found = _UNQUOTED_VALUE.match(self._text, self._value_at)
            value = (found[0] if found else "")[:60]
            raise QueryError("a colon inside an unquoted value", position=at, hint=f'quote it, as "{value}"')
        self._clauses -= self._in_term  # the name and its value are one clause
        self._in_term, self._value_at = False, at + 1
        return self._emit(at, 1)

    def _bracket(self, at: int, sign: str) -> int:
        self._in_term, self._value_at = False, None
        if sign in _OPENED_BY:
            if not self._opened or self._opened[-1][0] not in _OPENED_BY[sign]:
                raise QueryError(f"`{sign}` was never opened", position=at)
            self._opened.pop()
        else:
            self._opened.append((sign, at))
            if len(self._opened) > MAX_DEPTH:
                raise QueryError(f"parentheses are nested more than {MAX_DEPTH} deep", position=at)
        return self._emit(at, 1)

    def _operator(self, at: int, sign: str) -> int | None:
        """The place behind the operator that begins here, or None."""
        pair = self._text[at : at + 2]
        if pair == "&&":
            return self._emit(at, 2, " AND ")
        if pair == "||":
            return self._emit(at, 2, " OR ")
        if sign == "!":
            return self._emit(at, 1, "-")
        if pair in (">=", "<="):
            return self._emit(at, 2)
        if sign in "+-<>":
            return self._emit(at, 1)
        if sign == "/":
            raise QueryError("regular expressions are not supported", position=at, hint="put a value that begins with a slash in quotes")
        return None
