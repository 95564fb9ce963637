"""A worker that is asked to end does, whatever of it hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests import engines
from tests.daemon import PATIENCE
from tests.workers import Worker

_FAUST_HANGS = """
import asyncio, faust
async def on_stop(self): await asyncio.Event().wait()
faust.App.on_stop = on_stop
"""
_OPENING_HANGS = """
import asyncio, structlog
from services.worker import hot_path
async def open_log(settings):
    structlog.get_logger("test").warning("opening")
    await asyncio.Event().wait()
hot_path.open_log = open_log
"""


async def test_it_drains_and_ends_though_faust_hangs(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> None:
    worker = Worker(tmp_path, engines.on_servers(tmp_path, kafka, opensearch, openbao), first=_FAUST_HANGS)
    try:
        await worker.start()
        assert await worker.stop() == 0
        assert [line for line in worker.lines if '"worker_drained"' in line]
        assert [line for line in worker.lines if '"worker_cut_off"' in line], "or Faust did not hang"
    finally:
        await worker.close()


async def test_it_ends_while_it_starts(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> None:
    worker = Worker(tmp_path, engines.on_servers(tmp_path, kafka, opensearch, openbao), first=_OPENING_HANGS)
    try:
        await worker.launch()
        async with asyncio.timeout(PATIENCE):
            await worker.said('"opening"')
        assert await worker.stop() == 0
    finally:
        await worker.close()
