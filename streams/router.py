"""The router: from raw events to each tenant's segments, and to the dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Final, NamedTuple

import structlog

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event_log import IDP_EVENTS, Batch, NewRecord, Record
from streams.metrics import DEAD_LETTERS_TOTAL, EVENTS_ROUTED
from streams.placing import Place
from streams.processors.processor import Processor
from streams.raw_event import OWN, RawEvent, dead_letter, raw_events
from streams.scope import TenantScope
from streams.segment import Encoded, segments
from streams.source_map import SourceMap

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 50


class Routed(NamedTuple):
    """What became of a batch of raw events."""

    outputs: Sequence[NewRecord]
    events: int
    ignored: int
    dead: Counter[str]


class Router(Processor):
    """Decides where each raw event belongs. Every event ends in one segment, in the dead letters, or was to be ignored."""

    name: ClassVar[str] = "router"
    stream: ClassVar[str] = IDP_EVENTS
    batch_bytes: ClassVar[int] = 5 << 20
    pace: ClassVar[float] = 0.3
    at_once: ClassVar[int] = 16
    bytes_at_once: ClassVar[int] = 5 << 20

    def __init__(self, sources: SourceMap, exists: Callable[[str], bool] = lambda _: True) -> None:
        """`exists` says whether there is such a tenant."""
        self._place = Place(sources, exists)

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """The segments and dead letters of the batch.

        On the event loop, a millisecond at a time: in a thread it would fight for Python's global lock with the search index,
        which gives it up for every document it writes.
        """
        routing = _Routing(self._place)
        for number, raw in enumerate(routing.raw(batch.records)):
            routing.take(raw)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        routed = routing.routed()
        EVENTS_ROUTED.inc(routed.events)
        for reason, count in routed.dead.items():
            DEAD_LETTERS_TOTAL.labels(reason).inc(count)
        return routed.outputs

    def route(self, records: Iterable[Record]) -> Routed:
        """Routes the raw events of the records. A tenant's events keep the order in which they came."""
        routing = _Routing(self._place)
        for raw in routing.raw(records):
            routing.take(raw)
        return routing.routed()


class _Routing:
    """The routing of one batch."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # By tenant, then in runs of the same ingest: whoever waits for an ingest finds its segments by their header.
        self._tenants: dict[str, list[tuple[str | None, list[Encoded]]]] = defaultdict(list)
        self._letters: list[NewRecord] = []
        self._dead: Counter[str] = Counter()
        self._events = self._ignored = 0
        self._record: Record | None = None

    def take(self, raw: RawEvent) -> None:
        try:
            placed = self._place(raw)
        except DecodeError as error:
            self._bury(raw, Reason(error.reason), str(error))
            return
        except Exception:  # noqa: BLE001 -- see the next line
            # A bug of ours must not hold up the events behind it; this one is kept, and comes back once it is mended.
            _log.exception("router_failed", identity=raw.identity)
            self._bury(raw, Reason.INTERNAL_ERROR, "Tenantry failed to place this event: see its log, then replay")
            return
        if placed is None:
            self._ignored += 1
            return
        self._events += 1
        runs = self._tenants[placed.tenant]
        if not runs or runs[-1][0] != raw.ingest:
            runs.append((raw.ingest, []))
        runs[-1][1].append(placed.encoded)

    def routed(self) -> Routed:
        outputs = [
            record
            for tenant, runs in self._tenants.items()
            for ingest, run in runs
            for record in segments(TenantScope(tenant), run, **({"ingest": ingest} if ingest else {}))
        ]
        return Routed((*outputs, *self._letters), self._events, self._ignored, self._dead)

    def _bury(self, raw: RawEvent, reason: Reason, message: str) -> None:
        self._letters.append(dead_letter(raw, reason, message, self._record))
        self._dead[reason] += 1

    def raw(self, records: Iterable[Record]) -> Iterator[RawEvent]:
        """The raw events; a record whose headers make no sense, or that stands for others, is a dead letter as a whole."""
        for record in records:
            self._record = record
            try:
                yield from raw_events(record)
            except DecodeError as error:
                self._bury(_whole(record), Reason(error.reason), str(error))
            except ValueError as error:
                self._bury(_whole(record), Reason.INTERNAL_ERROR, f"its headers can't be read: {error}")


def _whole(record: Record) -> RawEvent:
    return RawEvent(record.value, f"{OWN}{record.stream}-{record.partition}-{record.offset}", record.time)
