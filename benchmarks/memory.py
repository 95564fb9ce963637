"""Memory of a served Tenantry over an hour's worth of ingest, against itself when it had warmed up.

An hour at 500 events a second, sent as fast as they are taken.
"""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.corpus import lines
from benchmarks.service import served

_EVENTS = 1_800_000
_PARTS = 12


def run(events: int | None, runs: int) -> dict[str, Any]:  # noqa: ARG001 -- one long run
    """The figures, in megabytes."""
    count = events or _EVENTS
    heap: list[float] = []
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "data") as service:
        part = Path(directory) / "part.ndjson"
        source = lines(count)
        for _ in range(_PARTS):
            with part.open("wb") as file:
                file.writelines(islice(source, count // _PARTS))
            service.command("ingest", "--source", "keycloak", "--wait", str(part))
            heap.append(service.heap_mb)
    warm = max(heap[: _PARTS // 3])
    return {
        "events": count,
        "heap_mb": [round(one) for one in heap],
        "end_mb": max(heap[-2:]),
        "peer": "the same process after a third of it",
        "peer_mb": warm,
        "ratio": warm / max(heap[-2:]),
    }
