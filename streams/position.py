"""A position names an event in its tenant's log; it is opaque to users, and only grows.

A position is the offset of the event's segment in the tenant log and its index within that segment, in one integer:
`offset << 20 | index`. That is all that Kafka can promise (offsets grow, with gaps), so nothing counts on density.
People and clients see sixteen hexadecimal digits, which sort as text like the positions do.
"""

from __future__ import annotations

INDEX_BITS = 20
MAX_EVENTS_PER_SEGMENT = 1 << INDEX_BITS

BEGINNING = -1
"""Before every event."""


def position(offset: int, index: int) -> int:
    """The position of the event number `index` of the segment at `offset`."""
    return (offset << INDEX_BITS) | index


def last_before(offset: int) -> int:
    """The highest position that an event before the segment at `offset` can have."""
    return (offset << INDEX_BITS) - 1


def offset_of(value: int) -> int:
    """The offset of the segment that holds the position."""
    return value >> INDEX_BITS


def render(value: int) -> str:
    """A position as users see it: sixteen hexadecimal digits; `BEGINNING` is all zeros but one."""
    return f"{value + 1:016x}"


def parse(text: str) -> int:
    """The position that `render` wrote.

    Raises:
        ValueError: the text is no position.
    """
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not a log position")
    value = int(text, 16) - 1
    if not BEGINNING <= value < 1 << 63:
        raise ValueError(f"{text!r} is not a log position")
    return value
