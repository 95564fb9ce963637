"""Taking events in over HTTP: the path names the tenant, every event is checked before it is taken."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from services.errors import Invalid, Reused, TooLarge
from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event_log import EventLog, NewRecord
from streams.placing import Place
from streams.raw_event import MAX_BYTES, MAX_LINES, OWN, RawEvent, raw_record
from streams.scope import TenantScope
from streams.source_map import SourceMap
from streams.sources import registry

MAX_EVENTS: Final = 10_000
"""Of one request."""
_AT_ONCE: Final = 50
_REMEMBERED: Final = 10_000
_array = msgspec.json.Decoder(list[msgspec.Raw])


class Refusal(NamedTuple):
    """An event that was not taken: its number in the request from 0, the reason by name, and in words."""

    number: int
    reason: str
    detail: str


class Taken(NamedTuple):
    """What became of a request's events."""

    taken: int
    refused: Sequence[Refusal]


class Ingest:
    """Takes raw events of a tenant into the log."""

    def __init__(self, log: EventLog, sources: SourceMap) -> None:
        self._log = log
        self._place = Place(sources)
        # Only to notice a key that is used for another body: that doing it twice changes nothing needs no memory, see `take`.
        self._used: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def take(self, scope: TenantScope, body: bytes, *, lines: bool, source: str | None, key: str | None, now: int) -> Taken:
        """Appends the events that can be placed in this tenant, and says which can't and why.

        Args:
            scope: the tenant.
            body: NDJSON if `lines`, else a JSON array or one object.
            lines: how the body is framed.
            source: the name of the format; None to tell by each event's content.
            key: the `Idempotency-Key`. It makes the ids of events that have none of their own, so that the same request again
                finds the same events: the first write wins, after a restart and on another node, too.
            now: epoch milliseconds.

        Raises:
            UnknownSource: there is no such format.
            Invalid: the body is neither NDJSON nor JSON.
            TooLarge: there are too many events in it.
            Reused: the key came with another body before.
            AppendInDoubt: all was taken, or nothing. Again with the same `key`, or if the events have ids of their own, none comes twice.
            LogUnavailable: else; nothing was taken. Try again.
        """
        if source is not None:
            registry.named(source)
        identity = self._identity(scope, key, body) if key is not None else None
        kept: list[bytes] = []
        refused: list[Refusal] = []
        values = _lines(body) if lines else _objects(body)
        if len(values) > MAX_EVENTS:
            raise TooLarge(f"a request holds at most {MAX_EVENTS} events; send more of them one after another")
        for index, value in enumerate(values):
            if index % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # others have a turn
            if not value.strip():
                kept.append(b"")
                continue
            try:
                self._place(RawEvent(value, f"{identity or OWN}-{index}", now, source, scope.tenant))
            except DecodeError as error:
                refused.append(Refusal(index, Reason(error.reason), str(error)))
                kept.append(b"")  # a blank line: the others keep their numbers, and so their identities
            else:
                kept.append(value)
        taken = sum(1 for value in kept if value)
        if taken:
            await self._log.append([record for record in _records(kept, source, scope.tenant, identity) if record.value.strip()])
        if key is not None:
            self._remember(scope, key, body)
        return Taken(taken, refused)

    def _identity(self, scope: TenantScope, key: str, body: bytes) -> str:
        if not 0 < len(key) <= 255:
            raise Invalid("Idempotency-Key must have 1 to 255 characters")
        digest = hashlib.sha256(body).hexdigest()
        if self._used.get((scope.tenant, key), digest) != digest:
            raise Reused(f"Idempotency-Key {key!r} was used for another body; take a new key for a new request")
        # With the body: another one must never be taken for this one, though the memory of used keys is short.
        return f"{OWN}request-{hashlib.sha256(f'{scope.tenant}/{digest}/{key}'.encode()).hexdigest()[:32]}"

    def _remember(self, scope: TenantScope, key: str, body: bytes) -> None:
        self._used[scope.tenant, key] = hashlib.sha256(body).hexdigest()
        self._used.move_to_end((scope.tenant, key))
        if len(self._used) > _REMEMBERED:
            self._used.popitem(last=False)


def _records(kept: list[bytes], source: str | None, tenant: str, identity: str | None) -> Iterator[NewRecord]:
    part: list[bytes] = []
    size = first = 0
    for number, value in enumerate(kept):
        if part and (len(part) >= MAX_LINES or size + len(value) > MAX_BYTES):
            yield raw_record(part, source=source, tenant=tenant, identity=identity, first=first)
            part, size, first = [], 0, number
        part.append(value)
        size += len(value)
    yield raw_record(part, source=source, tenant=tenant, identity=identity, first=first)


def _lines(body: bytes) -> Sequence[bytes]:
    return body.split(b"\n")


def _objects(body: bytes) -> Sequence[bytes]:
    if not body.lstrip().startswith(b"["):
        return [_one_line(body)]
    try:
        return [_one_line(bytes(value)) for value in _array.decode(body)]
    except msgspec.MsgspecError as error:
        raise Invalid(
            f"the body is not a JSON array ({error}); send one event a line as application/x-ndjson to have them judged alone"
        ) from error


def _one_line(value: bytes) -> bytes:
    # JSON has line breaks between its tokens only: inside a string they are escaped.
    return value.replace(b"\n", b" ").replace(b"\r", b" ")
