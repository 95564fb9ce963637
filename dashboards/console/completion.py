"""Completion of a query while it is typed: which part of it is meant, and what can stand there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards.console.rows import shown
from streams.fields import BY_NAME, FIELDS, FieldType

MOST: Final = 12
"""Choices of one list: what an eye takes in."""
_BLANK: Final = " \t\r\n"
_SIGNS: Final = "+-!"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
"""Values that need no quotes."""
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "TO"})
_PATH: Final = re.compile(r"[A-Za-z0-9_.-]+")
"""Paths in the source's own object that need no escapes."""
_REST_OF_NAME: Final = re.compile(r'[^\s()":]*:?')
_REST_OF_VALUE: Final = re.compile(r'[^\s()"]*')
_REST_OF_QUOTED: Final = re.compile(r'[^\s()"]*"?')
_DATES: Final = (
    (">=now-15m", "the last 15 minutes"),
    (">=now-1h", "the last hour"),
    (">=now-24h", "the last day"),
    (">=now-7d", "the last week"),
)
_OBJECT: Final = "idp"


@dataclass(frozen=True, slots=True)
class Typed:
    """The part of a query that is being typed.

    Attributes:
        start: where it begins in the query, in characters.
        end: where it ends: what stands between is replaced by a choice.
        text: it, up to the cursor, without quotes and escapes.
        field: whose value it is; None: it is the name of a field, or a word.
    """

    start: int
    end: int
    text: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can stand there: what is written into the query, what the list shows, and a note on it."""

    insert: str
    label: str
    note: str

    def shown(self) -> dict[str, Any]:
        """It for the script; its texts are in parts, as `dashboards.console.text.parts` makes them."""
        return {"insert": self.insert, "label": shown(self.label), "note": self.note}


def typed(query: str, at: int) -> Typed | None:
    """What is being typed with the cursor before the character `at`; None where nothing can be completed: behind an end, in a range."""
    at = min(max(at, 0), len(query))
    groups: list[str | None] = [None]  # whose values the open parentheses hold, as in user.name:(a OR b)
    name, start, quote = groups[-1], 0, -1
    index = 0
    while index < at:
        sign = query[index]
        if sign == "\\":
            index += 1
        elif sign == '"':
            quote = -1 if quote >= 0 else index
        elif quote >= 0:
            pass
        elif sign in _BLANK or sign in "()" or (sign in _SIGNS and index == start):
            if sign == "(":
                groups.append(name)
            elif sign == ")" and len(groups) > 1:
                groups.pop()
            name, start = groups[-1], index + 1
        elif sign in "[{":
            end = re.compile(r"[\]}]").search(query, index, at)
            if end is None:
                return None
            index = end.start()
        elif sign == ":" and name is None:
            name, start = _unescaped(query[start:index]), index + 1
        index += 1
    return _part(query, start, at, name, quoted=quote >= 0)


def _part(query: str, start: int, at: int, name: str | None, *, quoted: bool) -> Typed | None:
    raw = query[start:at]
    if raw.startswith('"'):
        if not quoted:
            return None  # the value is complete
        raw, rest = raw[1:], _REST_OF_QUOTED
    elif '"' in raw:
        return None
    else:
        rest = _REST_OF_NAME if name is None else _REST_OF_VALUE
    found = rest.match(query, at)
    return Typed(start, found.end() if found else at, _unescaped(raw), name)


def fields(text: str) -> tuple[Choice, ...]:
    """The declared fields that a text may become; those that begin so come first, those that mean such a thing last."""
    asked = text.casefold()
    ranked = sorted((rank, place) for place, field in enumerate(FIELDS) if (rank := _rank(field.name, field.meaning, asked)) is not None)
    return tuple(_field(FIELDS[place].name, FIELDS[place].meaning) for _, place in ranked)[:MOST]


def paths(text: str, found: Iterable[tuple[str, int]]) -> tuple[Choice, ...]:
    """Paths of the source's own object, each with how many of the events that were looked at have it."""
    asked = text.casefold()
    fitting = [(path, count) for path, count in found if _PATH.fullmatch(path) and asked in path.casefold()]
    return tuple(Choice(f"{path}:", path, f"in {count} of the newest events") for path, count in fitting[:MOST])


def values(typed: Typed, found: Sequence[tuple[str, int]]) -> tuple[Choice, ...]:
    """Values of a field, each with how many events have it: those that begin with the text first, then those that hold it."""
    asked = typed.text.casefold()
    begin = [one for one in found if one[0].casefold().startswith(asked)]
    hold = [one for one in found if asked in one[0].casefold() and one not in begin]
    return tuple(
        Choice(f"{written(value)} ", value, f"{count:,} {'event' if count == 1 else 'events'}") for value, count in (*begin, *hold)[:MOST]
    )


def dates(typed: Typed) -> tuple[Choice, ...]:
    """Times that can be asked for."""
    return tuple(Choice(f"{text} ", text, note) for text, note in _DATES if text.startswith(typed.text))


def written(value: str) -> str:
    """The value as a query has it behind the colon of its field."""
    if not _PLAIN.fullmatch(value) or value in _OPERATORS:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value


def kind(field: str) -> FieldType | None:
    """How a field is asked; None if there is no such field."""
    if field.startswith(f"{_OBJECT}."):
        return FieldType.FLAT
    return BY_NAME[field].type if field in BY_NAME else None


def _field(name: str, meaning: str) -> Choice:
    return Choice(f"{name}." if name == _OBJECT else f"{name}:", name, meaning)


def _rank(name: str, meaning: str, asked: str) -> int | None:
    if name.startswith(asked):
        return 0
    if any(part.startswith(asked) for part in name.split(".")):
        return 1
    if asked in name:
        return 2
    return 3 if any(word.startswith(asked) for word in meaning.casefold().split()) else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
