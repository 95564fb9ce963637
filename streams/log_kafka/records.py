"""Records as Kafka has them, and as the port has them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from streams.event_log import NewRecord, Record

MAX_RECORD_BYTES: Final = (4 << 20) - (64 << 10)
"""Key, headers and value of one record: what fits into the topics' `max.message.bytes` with the batch's own header."""


_NONE: Final[Mapping[str, str]] = MappingProxyType({})
"""The headers of most raw events."""


class Addressed(msgspec.Struct, frozen=True, gc=False):
    """A new record that knows its partition, its time and its size in bytes."""

    topic: str
    partition: int
    time: int
    new: NewRecord
    size: int

    def placed(self, offset: int) -> Record:
        """As it stands in the log."""
        new = self.new
        return Record(new.stream, self.partition, offset, new.key, new.value, new.headers, self.time)


def size_of(new: NewRecord) -> int:
    """Key, headers and value of a record in bytes."""
    size = len(new.value) + len((new.key or "").encode())
    return size + sum(len(name.encode()) + len(value.encode()) for name, value in new.headers.items()) if new.headers else size


def checked_size(new: NewRecord) -> int:
    """Its `size_of`.

    Raises:
        ValueError: it is larger than Kafka would take; trying again can't help.
    """
    size = size_of(new)
    if size > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {size} bytes is too large for {new.stream}: Kafka takes {MAX_RECORD_BYTES}")
    return size


def encoded(headers: Any) -> list[tuple[str, bytes]]:
    """Headers as Kafka has them."""
    return [(name, value.encode()) for name, value in headers.items()]


def read(stream: str, record: Any) -> Record:
    """A consumer's record as the port has it. Others may write to `idp-events`, too, with keys and headers that are no text."""
    return Record(
        stream,
        record.partition,
        record.offset,
        record.key.decode(errors="replace") if record.key is not None else None,
        record.value or b"",
        {name: (value or b"").decode(errors="replace") for name, value in record.headers} if record.headers else _NONE,
        record.timestamp,
    )
