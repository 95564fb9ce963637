"""The router: from raw events to each tenant's segments, and to the dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

import structlog

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event_log import IDP_EVENTS, Batch, NewRecord, Record
from streams.metrics import DEAD_LETTERS_TOTAL, EVENTS_ROUTED
from streams.placing import Place
from streams.processors.processor import Processor
from streams.raw_event import RawEvent, dead_letter, raw_events
from streams.scope import TenantScope
from streams.segment import Encoded, segments
from streams.source_map import SourceMap

_log = structlog.get_logger(__name__)


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

    def __init__(self, sources: SourceMap) -> None:
        self._place = Place(sources)

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """The segments and dead letters of the batch."""
        routed = await asyncio.to_thread(self.route, batch.records)
        EVENTS_ROUTED.inc(routed.events)
        for reason, count in routed.dead.items():
            DEAD_LETTERS_TOTAL.labels(reason).inc(count)
        return routed.outputs

    def route(self, records: Iterable[Record]) -> Routed:
        """Routes the raw events of the records. A tenant's events keep the order in which they came."""
        # By tenant, then in runs of the same ingest: whoever waits for an ingest finds its segments by their header.
        tenants: dict[str, list[tuple[str | None, list[Encoded]]]] = defaultdict(list)
        letters: list[NewRecord] = []
        dead: Counter[str] = Counter()
        events = ignored = 0
        for record in records:
            for raw in raw_events(record):
                try:
                    placed = self._place(raw)
                except DecodeError as error:
                    letters.append(dead_letter(raw, Reason(error.reason), str(error)))
                    dead[error.reason] += 1
                    continue
                except Exception:  # noqa: BLE001 -- see the next line
                    # A bug of ours must not hold up the events behind it; this one is kept, and comes back once it is mended.
                    _log.exception("router_failed", identity=raw.identity)
                    letters.append(dead_letter(raw, Reason.INTERNAL_ERROR, "Tenantry failed to place this event: see its log, then replay"))
                    dead[Reason.INTERNAL_ERROR] += 1
                    continue
                if placed is None:
                    ignored += 1
                    continue
                events += 1
                _append(tenants[placed.tenant], raw, placed.encoded)
        outputs = [
            record
            for tenant, runs in tenants.items()
            for ingest, run in runs
            for record in segments(TenantScope(tenant), run, **({"ingest": ingest} if ingest else {}))
        ]
        return Routed((*outputs, *letters), events, ignored, dead)


def _append(runs: list[tuple[str | None, list[Encoded]]], raw: RawEvent, encoded: Encoded) -> None:
    if not runs or runs[-1][0] != raw.ingest:
        runs.append((raw.ingest, []))
    runs[-1][1].append(encoded)
