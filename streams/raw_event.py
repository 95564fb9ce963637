"""Raw events: what an identity provider sent, before anything is decided about it, and the dead letters that some become.

A record of `idp-events` holds one event, as identity providers write them to Kafka, or with the header `framing: lines` many of
them, one a line, as files and HTTP requests bring them: so they share the cost of a record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, UNREADABLE, NewRecord, Record

MAX_LINES: Final = 500
MAX_BYTES: Final = 700_000
"""What a framed record holds at most; a longer line gets a record of its own."""

MAX_LETTER_BYTES: Final = 4_000_000
"""What a dead letter holds of its event at most: with its headers it fits into every log. Others may write larger records to
`idp-events`, since Kafka counts the compressed bytes there."""

MAX_HEADER: Final = 400
"""Characters of a header of a raw event. Ours are shorter; what others write there would be repeated in everything that it becomes."""

OWN: Final = "tenantry:"
"""What the ids begin with that Tenantry makes. A source's own id never does (see `placing`), so no event can be sent to take an id
that one of ours will have: the first write of an id wins."""

_LINES: Final = "lines"
_SIZE: Final = "size"
_SHA256: Final = "sha256"
"""Headers of a dead letter that holds the beginning of its event only: what the whole has."""


class RawEvent(NamedTuple):
    """One raw event and how it came.

    Attributes:
        value: its bytes.
        identity: names it for good, also when it comes back from the dead letters: where it was first read, or what an
            `Idempotency-Key` made of it. An event without an id of its own gets this one.
        arrived: when it came, in epoch milliseconds.
        source: the name of its format; None to tell by its content.
        tenant: the tenant by whose way it came (its token, its file); None to tell by its content.
        ingest: the ingest run it is part of, if somebody waits for that.
    """

    value: bytes
    identity: str
    arrived: int
    source: str | None = None
    tenant: str | None = None
    ingest: str | None = None


def raw_record(
    lines: Sequence[bytes],
    *,
    source: str | None = None,
    tenant: str | None = None,
    ingest: str | None = None,
    identity: str | None = None,
    first: int = 0,
) -> NewRecord:
    """The lines as one record of `idp-events`. None of them may hold a line feed, which no JSON needs.

    Args:
        lines: the raw events; a blank line is none, but counts.
        source: the name of their format.
        tenant: whose they are.
        ingest: the ingest run that they are part of.
        identity: what their identities begin with, if not with the record's place.
        first: the number of the first line in its file or request, which ends its identity.
    """
    number = str(first) if first else None
    headers = _headers(framing=_LINES, source=source, tenant=tenant, ingest=ingest, identity=identity, first=number)
    # By the tenant, where it is known before: its events keep their order, then.
    return NewRecord(IDP_EVENTS, b"\n".join(lines), tenant, headers)


def raw_events(record: Record) -> Iterator[RawEvent]:
    """The raw events of a record of `idp-events`, or the one of a dead letter, which keeps its identity and time of arrival.

    Blank lines are no events.

    Raises:
        DecodeError: it stands for records that the log can't give out.
        ValueError: its headers make no sense.
    """
    headers = record.headers
    if not headers:  # what identity providers write themselves; this runs for every event
        yield RawEvent(record.value, f"{OWN}{record.stream}-{record.partition}-{record.offset}", record.time)
        return
    if UNREADABLE in headers:
        raise DecodeError(Reason.TOO_LARGE, headers[UNREADABLE])
    _check(headers)
    identity = headers.get("identity") or f"{OWN}{record.stream}-{record.partition}-{record.offset}"
    arrived = int(headers.get("arrived") or record.time)
    how = (headers.get("source"), headers.get("tenant"), headers.get("ingest"))
    if headers.get("framing") != _LINES:
        yield RawEvent(record.value, identity, arrived, *how)
        return
    for number, line in enumerate(record.value.split(b"\n"), int(headers.get("first", 0))):
        if line.strip():
            yield RawEvent(line, f"{identity}-{number}", arrived, *how)


def dead_letter(event: RawEvent, reason: Reason, message: str, record: Record | None = None) -> NewRecord:
    """The raw event as a dead letter, with the reason, and with all that it needs to come back.

    It holds the event whole, or of one that is too large for a log the beginning, with the size and the SHA-256 of the whole; the
    message then says where that is. Such a letter does not come back.

    Args:
        event: the raw event.
        reason: for programs.
        message: for people.
        record: where it was read, if its identity does not say that.
    """
    headers = _headers(source=event.source, tenant=event.tenant, ingest=event.ingest)
    headers |= {"reason": reason, "message": message[:1000], "identity": event.identity, "arrived": str(event.arrived)}
    size = len(event.value)
    if size > MAX_LETTER_BYTES:
        place = event.identity if record is None else f"{record.stream}, partition {record.partition}, offset {record.offset}"
        headers["message"] += (
            f"; only its first {MAX_LETTER_BYTES:,} bytes are kept here: the whole, of {size:,}, is in {place}, as long as that is kept"
        )
        headers |= {_SIZE: str(size), _SHA256: hashlib.sha256(event.value).hexdigest()}
    return NewRecord(DEAD_LETTERS, event.value[:MAX_LETTER_BYTES], None, headers)


def is_cut(letter: Record) -> bool:
    """Whether the dead letter holds the beginning of its event only, or nothing, which can't be routed."""
    return _SHA256 in letter.headers or not letter.value


def revived(letter: Record) -> NewRecord:
    """The dead letter as a raw event again, to be routed anew; still the same event, arrived when it first did.

    One that is cut is a dead letter again, as it is: its beginning is not the event.
    """
    if is_cut(letter):
        return NewRecord(DEAD_LETTERS, letter.value, None, letter.headers)
    headers = {name: value for name, value in letter.headers.items() if name not in {"reason", "message"}}
    return NewRecord(IDP_EVENTS, letter.value, None, headers)


def _check(headers: Mapping[str, str]) -> None:
    for name in ("identity", "arrived", "source", "tenant", "ingest", "first"):
        if len(headers.get(name, "")) > MAX_HEADER:
            raise ValueError(f"`{name}` has {len(headers[name]):,} characters, more than {MAX_HEADER}")


def _headers(**headers: str | None) -> dict[str, str]:
    return {name: value for name, value in headers.items() if value is not None}
