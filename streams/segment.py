"""Segments: records of the tenant log, each with many events of one tenant.

The cost of a record (in Kafka, in Faust, in a transaction) is shared by its events, and an index gets a tenant's events
together, which is what makes writing a thousand indexes fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from streams.errors import SegmentError
from streams.event_log import TENANT_LOG, NewRecord, Record
from streams.position import MAX_EVENTS_PER_SEGMENT, position
from streams.scope import TenantScope
from streams.search_index import Entry

MAX_BYTES: Final = 700_000
"""Of documents in one segment, unless a single one is larger: Kafka's default limit is 1 MB a record."""

_VERSION: Final = 1


class Encoded(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An encoded event on its way into the log: its id, its time in epoch milliseconds, its document."""

    event_id: str
    time: int
    document: bytes


class _Segment(msgspec.Struct, array_like=True, gc=False):
    version: int
    events: list[Encoded]


class _Outline(msgspec.Struct, array_like=True, gc=False):
    version: int
    events: list[msgspec.Raw]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Segment)
_outliner = msgspec.msgpack.Decoder(_Outline)


def segments(scope: TenantScope, events: Iterable[Encoded], **headers: str) -> list[NewRecord]:
    """The events of one tenant as records of the tenant log, in their order."""
    records: list[NewRecord] = []
    part: list[Encoded] = []
    size = 0
    for event in events:
        if part and (size + len(event.document) > MAX_BYTES or len(part) >= MAX_EVENTS_PER_SEGMENT):
            records.append(_record(scope, part, headers))
            part, size = [], 0
        part.append(event)
        size += len(event.document)
    if part:
        records.append(_record(scope, part, headers))
    return records


def entries(record: Record) -> Sequence[Entry]:
    """The events of a segment, with their positions, as a search index takes them.

    Raises:
        SegmentError: it is no segment, or of a later version.
    """
    try:
        segment = _decoder.decode(record.value)
    except msgspec.MsgspecError as error:
        raise SegmentError(f"the record at {record.offset} of {record.stream} is not a segment ({error})") from error
    if segment.version != _VERSION:
        raise SegmentError(f"the segment at {record.offset} of {record.stream} has version {segment.version}; upgrade Tenantry to read it")
    offset = record.offset
    return [Entry(position(offset, index), event.event_id, event.time, event.document) for index, event in enumerate(segment.events)]


def count(record: Record) -> int:
    """How many events the segment has, without reading them; 0 for what is no segment, or of a later version."""
    try:
        outline = _outliner.decode(record.value)
    except msgspec.MsgspecError:
        return 0
    return len(outline.events) if outline.version == _VERSION else 0


def _record(scope: TenantScope, events: list[Encoded], headers: dict[str, str]) -> NewRecord:
    return NewRecord(TENANT_LOG, _encoder.encode(_Segment(_VERSION, events)), scope.tenant, headers)
