"""Ingest to searchable, against tantivy's `add_json` alone on the same documents.

Tenantry reads lines, appends them to the log, routes them to six tenants, appends the segments, and indexes them, durably; the
peer is given the finished documents and only indexes them, in one writer for each tenant, with as many commits.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.corpus import OPERATOR, lines
from services.bootstrap import start
from services.events.file_ingest import append_lines, outcome, wait
from services.sample.load import create_tenants
from services.settings import Settings
from streams.event_log import TENANT_LOG
from streams.index_tantivy.documents import to_json
from streams.index_tantivy.opened import OpenedIndex
from streams.segment import entries

_EVENTS = 200_000
_COMMIT = 8_000
_HEAP = 30_000_000


def run(events: int | None, runs: int) -> dict[str, Any]:
    """The figures."""
    count = events or _EVENTS
    data = list(lines(count))
    ours: list[float] = []
    cpu: list[float] = []
    peers: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as directory:
            seconds, spent, documents = asyncio.run(_tenantry(Path(directory), data))
            ours.append(count / seconds)
            cpu.append(spent / count * 1e6)
            peers.append(count / _peer(Path(directory) / "peer", documents))
    rate, peer = statistics.median(ours), statistics.median(peers)
    return {
        "events": count,
        "event_bytes": sum(map(len, data)) / count,
        "runs": runs,
        "events_per_second": rate,
        "cpu_us_per_event": statistics.median(cpu),
        "peer": "tantivy add_json alone, same documents",
        "peer_events_per_second": peer,
        "ratio": statistics.median(one / other for one, other in zip(ours, peers, strict=True)),
    }


async def _tenantry(directory: Path, data: list[bytes]) -> tuple[float, float, dict[str, list[str]]]:
    async with start(Settings(data=directory / "data")) as platform:
        await create_tenants(platform, OPERATOR)
        begun, spent = time.perf_counter(), time.process_time()
        appended = await append_lines(platform.log, iter(data), source="keycloak", tenant=None, progress=lambda _: None)
        await wait(platform.log, appended, lambda _done, _all: None)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
        result = await outcome(platform.log, platform.index, appended)
        assert result.indexed == len(data), result
        documents: dict[str, list[str]] = defaultdict(list)
        first = 0
        while records := await platform.log.read(TENANT_LOG, start=first, limit=100):
            first = records[-1].offset + 1
            for record in records:
                if record.headers.get("ingest") == appended.run:
                    documents[str(record.key)] += [to_json(entry) for entry in entries(record)]
        return seconds, cpu, documents


def _peer(root: Path, documents: dict[str, list[str]]) -> float:
    indexes = {}
    for tenant in documents:
        path = root / tenant
        path.mkdir(parents=True)
        indexes[tenant] = OpenedIndex(path, create=True)
        indexes[tenant].begin(_HEAP)
    begun = time.perf_counter()
    for tenant, found in documents.items():
        for number, document in enumerate(found, 1):
            indexes[tenant].add(document)
            if number % _COMMIT == 0:
                indexes[tenant].commit()
        indexes[tenant].commit()
    seconds = time.perf_counter() - begun
    for index in indexes.values():
        index.end()
    return seconds
