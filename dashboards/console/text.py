"""Text of events on a page: escaped, isolated, shortened, and with nothing in it that can't be seen.

Whoever signs in chooses the user name, and so what an analyst sees. A name must not run as HTML, turn the words around it
(bidirectional overrides), hide in characters without width, or fill the page.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from markupsafe import Markup, escape

_UNSEEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f"  # control characters, ANSI escapes among them
    "\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f"  # blanks that look like a space, or like nothing
    "\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u08e2\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
    "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb"
    "\\ud800-\\udfff"
    "\\U000110bd\\U000110cd\\U00013430-\\U0001345f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]"
)
"""Unicode's control and format characters, separators, variation selectors and fillers: what has no ink of its own."""

_CONTROLS: Final = "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
_FORMATS: Final = {0x200B: "ZWSP", 0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO"}
_NAMES: Final = {**dict(enumerate(_CONTROLS.split())), 0x7F: "DEL", 0xA0: "NBSP", 0xAD: "SHY", **_FORMATS}
"""What the better known ones are called; no font is sure to have Unicode's pictures of them."""


def parts(text: str) -> list[str]:
    """The text, and a sign for each character in it that can't be seen, in turns: text, sign, text, …, text. Text may be empty."""
    found: list[str] = []
    at = 0
    for unseen in _UNSEEN.finditer(text):
        found += (text[at : unseen.start()], _sign(unseen[0]))
        at = unseen.end()
    return [*found, text[at:]]


def visible(text: str) -> Markup:
    """The text as HTML, with a sign for each character that can't be seen."""
    # What is escaped can be seen, and a sign has nothing to escape: so one pass does it, also for a text of nothing but such characters.
    return Markup(_UNSEEN.sub(lambda unseen: f"<i>{_sign(unseen[0])}</i>", str(escape(text))))  # noqa: S704


def isolated(value: object, limit: int | None = None) -> Markup:
    """A value as HTML that leaves the text around it alone; cut after `limit` characters, and then says how long it is."""
    text = value if isinstance(value, str) else plain(value)
    # Not by `Markup.format`: a page has hundreds of values, and that takes longer for each than all the rest.
    if limit is None or len(text) <= limit:
        return Markup(f"<bdi>{visible(text)}</bdi>")  # noqa: S704 -- `visible` has escaped it
    return Markup(f'<bdi>{visible(text[:limit])}…</bdi> <small class="cut">{len(text):,} characters</small>')  # noqa: S704 -- likewise


def plain(value: object) -> str:
    """A value of an event as text: lists with commas, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    return json.dumps(value, ensure_ascii=False)


def pretty(value: Any, limit: int = 1_000_000) -> str:
    """JSON over several lines, which stays the same JSON when it is copied: what can't be seen is escaped by its number.

    It is in one line if it would have more than `limit` characters: the blanks that lines begin with can make JSON fifty times as long.
    """
    made: list[str] = []
    length = 0
    for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value):
        made.append(piece)
        length += len(piece)
        if length > limit:
            made = [json.dumps(value, ensure_ascii=False)]
            break
    return _UNSEEN.sub(_json_escape, "".join(made))


def json_escaped(text: str) -> str:
    """The text with escapes, as JSON has them, in place of what can't be seen."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _sign(character: str) -> str:
    code = ord(character)
    return _NAMES.get(code) or f"U+{code:04X}"


def _json_escape(found: re.Match[str]) -> str:
    # The only such characters outside of strings are the line breaks that `indent` made.
    return found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1]
