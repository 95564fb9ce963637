"""The careful way to read JSON: for bytes that are not clean, and where every key has to be looked at."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources import keycloak_log

MAX_DEPTH: Final = 64
"""The deepest nesting taken. Real events have less than ten levels; indexes and recursive readers give up at some hundreds."""

_REPLACEMENT: Final = "\ufffd"
_INVALID: Final = re.compile("[\x00\ud800-\udfff]")
"""What no UTF-8 text, or no index, can hold."""


def mended(text: bytes) -> tuple[Any, bool]:
    """The JSON value of the text with U+FFFD for each invalid character, and whether there were any.

    Unescaped control characters within strings are taken as they are; only JSON's syntax forbids them.

    Raises:
        DecodeError: it is not JSON even so, or nested too deeply, or an object has a key twice.
    """
    # A lone surrogate for each invalid byte: they stay distinct until keys have been compared.
    characters = text.decode("utf-8", "surrogateescape")
    try:
        raw = _decoder.decode(characters)
    except json.JSONDecodeError as error:
        if keycloak_log.is_line(text):
            raise keycloak_log.refusal() from None
        raise _not_json(error) from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        # Python reads integers of up to 4,300 digits.
        raise _no_number("an integer of more than 4,300 digits") from None
    value = _mend(raw, MAX_DEPTH)
    return value, value != raw


def too_deep() -> DecodeError:
    """The refusal of an event that is nested too deeply."""
    return DecodeError(Reason.TOO_DEEP, f"the event is nested deeper than {MAX_DEPTH} levels; send what is deeper as text")


def _mend(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _INVALID.sub(_REPLACEMENT, value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise too_deep()
    if isinstance(value, list):
        return [_mend(part, depth - 1) for part in value]
    found: dict[str, Any] = {}
    collisions: Counter[str] = Counter()
    for key, part in value.items():
        name = base = _INVALID.sub(_REPLACEMENT, key)
        # Keys may differ in their invalid characters alone; none must take another's place.
        while name != key and (name in found or name in value):
            collisions[base] += 1
            name = f"{base}{collisions[base]}"
        found[name] = _mend(part, depth - 1)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = counts.most_common(1)[0][0][:100]
        raise DecodeError(Reason.DUPLICATE_KEY, f"an object has the key {twice!r} more than once, so readers may disagree; send it once")
    return found


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _no_number("a number beyond what a double holds")
    return number


def _constant(name: str) -> float:
    raise _no_number(name)


def _no_number(what: str) -> DecodeError:
    return DecodeError(Reason.NOT_JSON, f"the event has {what}, which is no number that every JSON reader takes; send it as text")


def _not_json(error: json.JSONDecodeError) -> DecodeError:
    size = len(error.doc.encode("utf-8", "surrogateescape"))
    at = len(error.doc[: error.pos].encode("utf-8", "surrogateescape"))
    if not error.doc:
        return DecodeError(Reason.NOT_JSON, "the event is empty; send a JSON object")
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return DecodeError(Reason.NOT_JSON, f"the event is cut off: its JSON does not end within its {size:,} bytes; send it whole")
    problem = error.msg[0].lower() + error.msg[1:]
    return DecodeError(Reason.NOT_JSON, f"the event is not JSON at byte {at:,} of {size:,}: {problem}; send one JSON object a line")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant, strict=False)
