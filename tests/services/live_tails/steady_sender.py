"""Appends events at a steady rate, as `tenantry ingest` does: `python -m tests.services.live_tails.steady_sender`, a process of its own.

Each slice of time it appends what is due by the clock, so what one append has held up goes with the next. It goes on for `SECONDS`, and
then until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from services.engines import open_log
from services.events.file_ingest import append_lines
from services.settings import Settings
from streams.event_log import EventLog
from tests.processes import environment, spawned
from tests.services.live_tails.tails import okta

RATE: Final = 2000
"""Acme's events per second."""
SECONDS: Final = 20
LAST: Final = "acme-last"
"""The id of the event that comes behind all others of Acme's."""
_SHARE: Final = 10
_SLICE_SECONDS: Final = 0.05


class Sent(NamedTuple):
    """What was sent: how many events of Acme's before the last one, and how many seconds after it was due the latest was in the log."""

    events: int
    late: float

    @property
    def acmes(self) -> Sequence[str]:
        """The ids of Acme's events, in the order in which they were sent."""
        return [*_acmes(0, self.events), LAST]

    @property
    def globexes(self) -> Sequence[str]:
        """The ids of Globex's events, of which there is one for ten of Acme's."""
        return _globexes(0, self.events)


async def sending(data: Path, enough: asyncio.Event) -> Sent:
    """Has another process append events, until there were enough."""
    command, pipe = [sys.executable, "-m", "tests.services.live_tails.steady_sender"], asyncio.subprocess.PIPE
    async with spawned(command, environment(data), stdin=pipe) as process:
        await enough.wait()
        out, err = await process.communicate(b"")
    assert process.returncode == 0, err.decode()
    return Sent(*json.loads(out))


async def send(log: EventLog) -> Sent:
    """Appends events to the log."""
    sent, late = 0, 0.0
    began = time.monotonic()
    while sent < RATE * SECONDS or not _told_to_end():
        await asyncio.sleep(_SLICE_SECONDS)
        due = int((time.monotonic() - began) * RATE)
        await _append(log, "acme", _acmes(sent, due))
        await _append(log, "globex", _globexes(sent, due))
        late = max(late, time.monotonic() - began - sent / RATE)
        sent = due
    await _append(log, "acme", [LAST])
    return Sent(sent, late)


def _acmes(start: int, end: int) -> Sequence[str]:
    return [f"acme-{number}" for number in range(start, end)]


def _globexes(start: int, end: int) -> Sequence[str]:
    return [f"globex-{number}" for number in range(start, end) if number % _SHARE == 0]


async def _append(log: EventLog, tenant: str, identifiers: Sequence[str]) -> None:
    lines = (json.dumps(okta(identifier)).encode() for identifier in identifiers)
    await append_lines(log, lines, source="okta", tenant=tenant, progress=lambda _: None)


def _told_to_end() -> bool:
    """Whether the standard input, in which nothing is written, has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


async def main() -> None:
    """Prints what was sent."""
    log = await open_log(Settings())
    try:
        print(json.dumps(await send(log)))
    finally:
        await log.close()


if __name__ == "__main__":
    asyncio.run(main())
