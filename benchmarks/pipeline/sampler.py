"""Where a worker's CPU time goes: `python -m benchmarks.pipeline.sampler FILE COMMAND…` runs a `tenantry` command and samples it.

After each millisecond of CPU time the stack of the main thread is looked at, and counted for the stage that its innermost known frame
belongs to. Costs a few per cent. C code counts for the Python function that called it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

_EVERY_SECONDS: Final = 0.001
_WRITE_EVERY: Final = 50

STAGES: Final = (
    # (stage, part of the file's path, function or "" for any), the first that fits a frame counts
    ("router: decode, find the tenant, normalise, encode", "streams/sources/", ""),
    ("router: decode, find the tenant, normalise, encode", "streams/placing.py", ""),
    ("router: decode, find the tenant, normalise, encode", "streams/source_map.py", ""),
    ("router: decode, find the tenant, normalise, encode", "streams/raw_event.py", ""),
    ("index: read segments", "streams/segment.py", "entries"),
    ("router: segments", "streams/segment.py", ""),
    ("router: segments", "streams/router.py", ""),
    ("index: parse answers", "streams/index_opensearch/bulk.py", "send"),
    ("index: parse answers", "streams/index_opensearch/bulk.py", "_outcome"),
    ("index: HTTP and TLS", "streams/index_opensearch/client.py", ""),
    ("index: bulk bodies", "streams/index_opensearch/", ""),
    ("index: HTTP and TLS", "/opensearchpy/", ""),
    ("index: HTTP and TLS", "/aiohttp/", ""),
    ("index: HTTP and TLS", "/asyncio/sslproto.py", ""),
    ("index: read segments", "streams/processors/index.py", ""),
    ("Kafka: consume", "/aiokafka/consumer/", ""),
    ("Kafka: consume", "/aiokafka/record/", "__next__"),
    ("Kafka: produce", "/aiokafka/producer/", ""),
    ("Kafka: produce", "/streams/log_kafka/producer.py", ""),
    ("Kafka: produce", "/streams/log_kafka/tenure.py", ""),
    ("Kafka: consume", "/streams/log_kafka/", ""),
    ("Kafka: connections", "/aiokafka/", ""),
)
OTHER: Final = "event loop and the rest"
_FIRST: Final = frozenset({STAGES[0][0], "router: segments"})
"""With these the work begins."""


def stage_of(frames: list[tuple[str, str]]) -> str:
    """The stage of a stack: `(file, function)` of its frames, the innermost first."""
    for file, function in frames:
        for stage, part, wanted in STAGES:
            if part in file and wanted in {"", function}:
                return stage
    return OTHER


class Sampler:
    """Counts samples, and writes them to a file now and then: the process may end without notice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stages: Counter[str] = Counter()
        self._functions: Counter[str] = Counter()
        self._count = 0
        self._begun = False

    def start(self) -> None:
        """Samples from now on."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        frames: list[tuple[str, str]] = []
        while frame is not None:
            frames.append((frame.f_code.co_filename, frame.f_code.co_name))
            frame = frame.f_back
        stage = stage_of(frames)
        self._begun = self._begun or stage in _FIRST
        if not self._begun:
            return  # it is still starting
        self._stages[stage] += 1
        if frames:
            file, function = frames[0]
            self._functions[f"{'/'.join(Path(file).parts[-2:])}:{function}"] += 1
        self._count += 1
        if self._count % _WRITE_EVERY == 0:
            self._write()

    def _write(self) -> None:
        said: dict[str, Any] = {"samples": self._count, "stages": dict(self._stages), "functions": dict(self._functions.most_common(60))}
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(said))
        os.replace(beside, self._path)  # noqa: PTH105 -- the same, and faster


if __name__ == "__main__":
    from services.cli import main

    path = Path(sys.argv.pop(1))
    sys.argv[0] = "tenantry"
    Sampler(path).start()
    main()
