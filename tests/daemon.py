"""A process of Tenantry's that runs until it is ended, and what it logs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 90.0
"""Seconds that anything may take before it counts as stuck. A bound, and no measure: the machine may be busy."""
_KEPT: Final = 5000  # lines


class Daemon:
    """A process to be killed, stopped and started again; its standard error is read line by line.

    Attributes:
        lines: the last ones, of all its lives.
        ready: set when it works, which a line of its log tells, and when it has ended.
    """

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def spawn(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Starts the process, without waiting for it to work."""
        assert self._process is None, "it is running"
        self.ready.clear()
        null = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=ROOT, stdin=null, stdout=null, stderr=asyncio.subprocess.PIPE, limit=1 << 24
        )
        self._reader = asyncio.create_task(self._read(self._process))

    async def kill(self) -> None:
        """`kill -9`, and what it had not written by then is gone."""
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
        process, reader = self._process, self._reader
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
            await reader
        self._process = self._reader = None
        return code

    async def close(self) -> None:
        """Ends it if it runs."""
        if self._process is not None:
            await self.kill()

    def heard(self, line: str) -> bool:
        """Whether this line of its log tells that it works."""
        raise NotImplementedError

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            if self.heard(text):
                self.ready.set()
        self.ready.set()  # or it never will
