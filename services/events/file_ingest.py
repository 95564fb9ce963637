"""Taking events in from files: append only, and telling when all of it can be found."""

from __future__ import annotations

import asyncio
import gzip
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from services.errors import Invalid
from streams import position as positions
from streams.control_log import ControlLog
from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, EventLog, NewRecord, Record
from streams.processors.backlog import Backlogs
from streams.raw_event import MAX_BYTES, MAX_LETTER_BYTES, MAX_LINES, OWN, RawEvent, dead_letter, raw_record
from streams.scope import TenantScope
from streams.search_index import SearchIndex
from streams.segment import entries
from streams.sources.decode import decode

_RECORDS: Final = 20
"""Records of one append: each append waits for the disk, so several share it."""
_POLL_SECONDS: Final = 0.05
_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest run appended.

    Attributes:
        run: its id, which its segments and dead letters carry.
        lines: how many events.
        starts: for each stream, where its partitions ended before: what the run became stands behind.
        ends: for each partition of `idp-events`, the offset behind the run's last record.
    """

    run: str
    lines: int
    starts: Mapping[str, Mapping[int, int]]
    ends: Mapping[int, int]


@dataclass(slots=True)
class Outcome:
    """What became of an ingest run's events."""

    indexed: int = 0
    duplicates: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)

    @property
    def dead(self) -> int:
        """How many are dead letters."""
        return sum(self.dead_letters.values())


def opened(path: str) -> AbstractContextManager[BinaryIO]:
    """The file, unpacked if it is gzip; `-` is the standard input.

    Raises:
        Invalid: it can't be opened.
    """
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        file = Path(path).open("rb")  # noqa: SIM115 -- the caller's `with` closes it
    except OSError as error:
        raise Invalid(f"{path} can't be read ({error.strerror})") from error
    magic = file.read(2)
    file.seek(0)
    if magic != _GZIP_MAGIC:
        return closing(file)
    return closing(cast("BinaryIO", gzip.GzipFile(fileobj=file)))


async def append_lines(
    log: EventLog, lines: Iterator[bytes], *, source: str | None, tenant: str | None, progress: Callable[[int], None]
) -> Ingested:
    """Appends the lines to `idp-events`, one event each. Interrupted, it can be run again: an event with an id of its own is indexed once.

    Args:
        log: the event log.
        lines: the events.
        source: the name of their format; None to tell by their content.
        tenant: whose they are; None to tell by their content.
        progress: is told how many bytes are appended.

    Raises:
        LogUnavailable: the rest was not appended; of the last part, it may be in doubt.
    """
    run = uuid.uuid4().hex
    starts = {stream: await log.ends(stream) for stream in (TENANT_LOG, DEAD_LETTERS)}
    ends: dict[int, int] = {}
    count = 0
    pending: list[NewRecord] = []
    size = 0

    async def flush() -> None:
        nonlocal size
        for record in await log.append(pending):
            if record.stream == IDP_EVENTS:
                ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
        progress(size)
        pending.clear()
        size = 0

    for part in _parts(lines):
        count += sum(1 for line in part if line.strip())
        if len(part[0]) > MAX_LETTER_BYTES:
            pending.append(_letter(part[0], count, source, tenant, run))
        else:
            pending.append(raw_record([line.rstrip(b"\r\n") for line in part], source=source, tenant=tenant, ingest=run))
        size += sum(len(line) for line in part)
        if len(pending) >= _RECORDS:
            await flush()
    if pending:
        await flush()
    return Ingested(run, count, starts, ends)


async def wait(log: EventLog, run: Ingested, progress: Callable[[int, int], None], *, alive: Callable[[], bool] = lambda: True) -> None:
    """Returns when all of the run's events can be found, or are dead letters.

    Args:
        log: the event log.
        run: the ingest run.
        progress: is told how many records are done, and of how many, as far as is known.
        alive: asked now and then whether anybody is still working on it.

    Raises:
        Invalid: nobody is.
    """
    await _passed(log, IDP_EVENTS, "router", run.ends, progress, alive)
    ends = await log.ends(TENANT_LOG)
    await _passed(log, TENANT_LOG, "index", ends, progress, alive)
    await _caught_up(log, run, ends, alive)


async def outcome(log: EventLog, index: SearchIndex, run: Ingested) -> Outcome:
    """What became of the run's events: those that can be found by the run's positions are new, the others were there before.

    The first write of an event wins, so an event stands in the index with the position of its first segment.
    """
    result = Outcome()
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    total = 0
    async for record in _since(log, TENANT_LOG, run):
        if record.key is not None:
            events = len(entries(record))
            total += events
            first = positions.position(record.offset, 0)
            ranges[record.key].append((first, first + events - 1))
    for tenant, found in ranges.items():
        scope = TenantScope(tenant)
        await index.refresh(scope)
        result.indexed += await index.positions(scope, found)
    result.duplicates = total - result.indexed
    async for letter in _since(log, DEAD_LETTERS, run):
        reason = letter.headers.get("reason", "unknown")
        result.dead_letters[reason] = result.dead_letters.get(reason, 0) + 1
    return result


async def _since(log: EventLog, stream: str, run: Ingested) -> AsyncIterator[Record]:
    """The records that the run became."""
    for partition, begin in run.starts[stream].items():
        start = begin
        while records := await log.read(stream, partition=partition, start=start, limit=200):
            start = records[-1].offset + 1
            for record in records:
                if record.headers.get("ingest") == run.run:
                    yield record


async def _passed(
    log: EventLog, stream: str, group: str, ends: Mapping[int, int], progress: Callable[[int, int], None], alive: Callable[[], bool]
) -> None:
    first: int | None = None
    while True:
        cursors = await log.cursors(stream, group)
        left = sum(max(0, end - cursors.get(partition, 0)) for partition, end in ends.items())
        first = left if first is None else first
        progress(first - left, first)
        if left == 0:
            return
        _check(alive)
        await asyncio.sleep(_POLL_SECONDS)  # another process does the work; its cursor can only be asked


async def _caught_up(log: EventLog, run: Ingested, ends: Mapping[int, int], alive: Callable[[], bool]) -> None:
    """A tenant with a backlog is written besides, while the processor's cursor passes over it."""
    backlogs = Backlogs()
    control = ControlLog(log, (backlogs,))
    await control.start()
    try:
        tenants: set[str | None] | None = None
        while behind := {backlog.tenant for backlog in backlogs.all() if backlog.offset < ends.get(backlog.partition, 0)}:
            if tenants is None:
                tenants = {record.key async for record in _since(log, TENANT_LOG, run)}
            if not behind & tenants:
                return
            _check(alive)
            await asyncio.sleep(_POLL_SECONDS)
            await control.catch_up()
    finally:
        await control.stop()


def _check(alive: Callable[[], bool]) -> None:
    if not alive():
        raise Invalid("nobody processes the events now: start `tenantry serve` and wait with it; what was appended is safe")


def _letter(line: bytes, number: int, source: str | None, tenant: str | None, run: str) -> NewRecord:
    """A line that no log takes as a record, as the dead letter that it would become."""
    raw = RawEvent(line, f"{OWN}ingest-{run}-{number}", time.time_ns() // 1_000_000, source, tenant, run)
    try:
        decode(line)
    except DecodeError as error:
        return dead_letter(raw, Reason(error.reason), str(error))
    raise AssertionError("it is larger than any event")


def _parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and (len(part) >= MAX_LINES or size + len(line) > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part
