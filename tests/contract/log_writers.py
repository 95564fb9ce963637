"""Processes that write to an event log: what the contract does to it from outside."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from streams.errors import Changed
from streams.event_log import CONTROL, TENANT_LOG, EventLog, NewRecord

ROOT = Path(__file__).parents[2]


class Writers:
    """Starts `python -m MODULE WHAT NAME COUNT ARGUMENTS…`; the module opens the adapter's log and calls `write`."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._arguments = arguments

    async def append(self, name: str, count: int) -> None:
        """A process appends `NAME-0`, `NAME-1`, …, one by one."""
        await self._finished("append", name, count)

    async def count(self, name: str, count: int) -> None:
        """A process appends the number of records that the key has, `count` times, if unchanged."""
        await self._finished("count", name, count)

    async def killed(self, after: int) -> list[str]:
        """A process appends three records at once, again and again, and is killed when `after` appends were acknowledged."""
        process = await self._start("threes", "k", 1_000_000)
        assert process.stdout is not None
        acknowledged: list[str] = []
        for _ in range(after):
            acknowledged += (await process.stdout.readline()).decode().split()
        process.kill()
        rest = await process.stdout.read()
        acknowledged += [value for line in rest.decode().splitlines(keepends=True) if line.endswith("\n") for value in line.split()]
        await process.wait()
        return acknowledged

    async def _finished(self, *arguments: object) -> None:
        process = await self._start(*arguments)
        assert await process.wait() == 0

    async def _start(self, *arguments: object) -> asyncio.subprocess.Process:
        words = [*map(str, arguments), *self._arguments]
        return await asyncio.create_subprocess_exec(sys.executable, "-m", self._module, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def write(log: EventLog, what: str, name: str, count: int) -> None:
    """What a writing process does."""
    for n in range(count):
        if what == "append":
            await log.append([NewRecord(TENANT_LOG, f"{name}-{n}".encode(), "acme")])
        elif what == "threes":
            values = [f"{name}-{n}-{part}" for part in range(3)]
            await log.append([NewRecord(TENANT_LOG, value.encode(), "acme") for value in values])
            print(*values, flush=True)
        else:
            await _append_count(log)
    await log.close()


async def _append_count(log: EventLog) -> None:
    while True:
        records = await log.read(CONTROL, key="acme")
        last = records[-1].offset if records else None
        try:
            await log.append_if_unchanged([NewRecord(CONTROL, str(len(records)).encode(), "acme")], last=last)
        except Changed:
            continue
        return
