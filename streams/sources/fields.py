"""Taking fields out of a source's object: of the documented type, or a `DecodeError` that names the field.

An explicit null, and for texts the empty one, is the same as no field: Keycloak's listeners and Auth0 write them where others
leave the field out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from streams.dead_letters import Reason
from streams.errors import DecodeError

MAX_ID_BYTES: Final = 400
"""OpenSearch takes document ids of 512 bytes, and where tenants share an index, the tenant is part of them. Real ids have under 100."""

_DAY: Final = 86_400
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))"
)
_KINDS: Final = {
    str: "a text",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
_NOTHING: Final[Mapping[str, Any]] = {}


def text(raw: Mapping[str, Any], name: str, where: str = "") -> str | None:
    """The text field `name`, or None; `where` is the path to the object, as `details.`, for messages."""
    value = raw.get(name)
    if value is None or type(value) is str:
        return value or None
    raise _wrong_type(where + name, "a text", value)


def required_text(raw: Mapping[str, Any], name: str, where: str = "") -> str:
    """The text field `name`, which is never absent."""
    value = raw.get(name)
    if value and type(value) is str:
        return value
    if value is None or value == "":
        raise DecodeError(Reason.MISSING_FIELD, f"`{where}{name}` is missing; every event of this format has it")
    raise _wrong_type(where + name, "a text", value)


def nested(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object field `name`, or an empty object."""
    value = raw.get(name)
    if value is None:
        return _NOTHING
    if type(value) is dict:
        return value
    raise _wrong_type(name, "an object", value)


def flag(raw: Mapping[str, Any], name: str) -> bool | None:
    """The boolean field `name`, or None."""
    value = raw.get(name)
    if value is None or type(value) is bool:
        return value
    raise _wrong_type(name, "a boolean", value)


def milliseconds(raw: Mapping[str, Any], name: str) -> int | None:
    """The field `name` as epoch milliseconds, however implausible, or None. A float without a fraction is an integer in JSON."""
    value = raw.get(name)
    if value is None or type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _wrong_type(name, "epoch milliseconds (an integer)", value)


def instant(raw: Mapping[str, Any], name: str) -> int | None:
    """The ISO 8601 time (RFC 3339) in the field `name` as epoch milliseconds, or None."""
    value = text(raw, name)
    if value is None:
        return None
    time = parse_instant(value)
    if time is None:
        raise DecodeError(
            Reason.WRONG_TYPE, f"`{name}` must be an ISO 8601 time with a zone, as 2026-11-23T16:51:50.932Z, and not {value[:100]!r}"
        )
    return time


def parse_instant(value: str) -> int | None:
    """An RFC 3339 time as epoch milliseconds, finer fractions cut off; None if it is none.

    Unlike `datetime.fromisoformat` followed by `astimezone`, it has no trouble in the years 1 and 9999, takes fractions of any
    length, and leap seconds (as the second after, like POSIX).
    """
    found = _ISO.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = found.groups()[6:]
    hours, minutes = int(offset_hours or 0), int(offset_minutes or 0)
    if hour > 23 or minute > 59 or second > 60 or hours > 23 or minutes > 59:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    offset = (hours * 60 + minutes) * (-60 if sign == "-" else 60)
    seconds = days * _DAY + hour * 3600 + minute * 60 + second - offset
    return seconds * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


def identity(value: str | None) -> str | None:
    """The source's id as the event's: itself, or its SHA-256 where it is too long to be a document's id."""
    if value is None or (len(value) <= MAX_ID_BYTES and value.isascii()):
        return value
    encoded = value.encode("utf-8", "surrogatepass")
    return value if len(encoded) <= MAX_ID_BYTES else f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def _wrong_type(path: str, wanted: str, value: object) -> DecodeError:
    return DecodeError(Reason.WRONG_TYPE, f"`{path}` must be {wanted}, not {_KINDS.get(type(value), 'this')}")
