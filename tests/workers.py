"""`tenantry worker` as people run it, in a process of its own, which ends whatever happens to the test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.daemon import PATIENCE, Daemon
from tests.processes import argv, environment

_READY: Final = '"worker_ready"'


class Worker(Daemon):
    """A worker on a directory's settings: to be killed, stopped and started again."""

    def __init__(self, data: Path, settings: Mapping[str, object], *, first: str = "") -> None:
        """It is not started yet. `settings` as for `environment`; `first` is Python that the process runs before it begins."""
        super().__init__()
        self._env = environment(data, **settings)
        self._first = first
        self._came = asyncio.Event()

    async def launch(self) -> None:
        """Starts the process, without waiting for it to work."""
        await self.spawn(argv("worker", first=self._first), self._env)

    async def start(self) -> None:
        """Starts the process, and returns when it works."""
        await self.launch()
        async with asyncio.timeout(PATIENCE):
            await self.ready.wait()
        assert self.running, "it ended before it worked:\n" + "\n".join(self.lines)

    async def said(self, text: str) -> None:
        """Returns when it has logged a line with the text."""
        while not any(text in line for line in self.lines):
            self._came.clear()
            await self._came.wait()

    def heard(self, line: str) -> bool:
        """Whether this line of its log tells that it works."""
        self._came.set()
        return _READY in line
