"""`tenantry worker` as people run it, in a process of its own, which ends whatever happens to the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.processes import PATIENCE, ROOT, argv, environment

_READY: Final = '"worker_ready"'
_KEPT: Final = 500  # lines


class Worker:
    """A worker on a directory's settings: to be killed, stopped and started again."""

    def __init__(self, data: Path, settings: Mapping[str, object], *, first: str = "") -> None:
        """It is not started yet. `settings` as for `environment`; `first` is Python that the process runs before it begins."""
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.ready = asyncio.Event()
        """Set when it processes, and when it has ended."""
        self._env = environment(data, **settings)
        self._first = first
        self._came = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def launch(self) -> None:
        """Starts the process, without waiting for it to work."""
        assert self._process is None, "it is running"
        self.ready.clear()
        null = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *argv("worker", first=self._first),
            env=self._env,
            cwd=ROOT,
            stdin=null,
            stdout=null,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        self._reader = asyncio.create_task(self._read(self._process))

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

    async def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.ended()

    async def stop(self) -> int:
        """Asks it to end, as an operator's system does (SIGTERM), and answers its exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Returns its exit code when it has ended."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(PATIENCE):
            code = await self._process.wait()
            await self._reader
        self._process = self._reader = None
        return code

    async def close(self) -> None:
        """Ends it if it runs."""
        if self._process is not None:
            await self.kill()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            self._came.set()
            if _READY in text:
                self.ready.set()
        self.ready.set()  # or it never will
