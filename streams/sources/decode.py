"""From the bytes of a raw event to its JSON object, quickly when they are clean and carefully when they are not.

What is kept are the source's own bytes, so that its escapes and number formats survive. Only what no JSON reader and no
index can be trusted with is replaced: NUL, lone surrogates and invalid UTF-8 become U+FFFD, and the event is marked. It
is not refused, or an attacker could hide a failed sign-in behind a strange username.
"""

from __future__ import annotations

import codecs
from typing import Any, Final, NamedTuple

import msgspec

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event import INVALID_CHARACTERS
from streams.sources import mend

MAX_EVENT_BYTES: Final = 1_000_000
"""The longest event taken: about what Kafka lets through by default (`message.max.bytes`, 1,048,588)."""

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class Decoded(NamedTuple):
    """A raw event as a JSON object.

    Attributes:
        raw: the object.
        document: the same as valid JSON in one line: the source's own bytes wherever they were.
        tags: marks of `streams.event` that the event has to carry.
    """

    raw: dict[str, Any]
    document: bytes
    tags: tuple[str, ...]


def decode(value: bytes) -> Decoded:
    """The JSON object of a raw event; surrounding white space and a byte order mark don't matter.

    Raises:
        DecodeError: it is none, or it is too large, too deep or ambiguous; `reason` says which.
    """
    if len(value) > MAX_EVENT_BYTES:
        raise _too_large("the event has", len(value))
    text = value.removeprefix(codecs.BOM_UTF8).strip()
    try:
        raw = _decoder.decode(text)
    except RecursionError:
        raise mend.too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _mended(text)
    # `\\\\u0000` (an escaped backslash, then u0000) is a false alarm here; the careful way tells them apart. Looking for one byte first is
    # twice as fast.
    if (b"\\" in text and b"\\u0000" in text) or text.count(b"{") + text.count(b"[") > mend.MAX_DEPTH:
        return _checked(text)
    # Written again, an object has each of its keys once. If that gives the bytes that came, no second value of a key was in them.
    again = _encoder.encode(raw)
    if again != text:
        compact = msgspec.json.format(text, indent=-1)
        if again != compact:
            return _checked(text)
        text = _one_line(text, compact)
    if type(raw) is not dict:
        raise _not_an_object(raw)
    return Decoded(raw, text, ())


def _checked(text: bytes) -> Decoded:
    """The object of valid JSON that may have more in it than meets the eye."""
    raw, changed = mend.mended(text)
    if type(raw) is not dict:
        raise _not_an_object(raw)
    if changed:
        return _written_again(raw)
    return Decoded(raw, _one_line(text, msgspec.json.format(text, indent=-1)), ())


def _mended(text: bytes) -> Decoded:
    """The object of what is no JSON as it is, but may become it."""
    raw, _ = mend.mended(text)
    if type(raw) is not dict:
        raise _not_an_object(raw)
    return _written_again(raw)


def _written_again(raw: dict[str, Any]) -> Decoded:
    document = _encoder.encode(raw)
    if len(document) > MAX_EVENT_BYTES:
        # One invalid byte becomes three, an unescaped control character six.
        raise _too_large("with its invalid characters replaced, the event has", len(document))
    return Decoded(raw, document, (INVALID_CHARACTERS,))


def _one_line(text: bytes, compact: bytes) -> bytes:
    return compact if b"\n" in text or b"\r" in text else text


def _too_large(what: str, size: int) -> DecodeError:
    return DecodeError(
        Reason.TOO_LARGE,
        f"{what} {size:,} bytes, more than the {MAX_EVENT_BYTES:,} that one event may have; leave its largest field out at the source",
    )


def _not_an_object(raw: object) -> DecodeError:
    kinds = {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return DecodeError(
        Reason.NOT_AN_OBJECT, f"the event is {kinds.get(type(raw), 'a number')}, not a JSON object; send each event as an object of its own"
    )
