"""An open `follow` of the SQLite log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from streams.errors import LogUnavailable, Overtaken
from streams.event_log import Batch, NewRecord, Record, Subscription
from streams.log_sqlite import database
from streams.log_sqlite.wakeup import Wakeup
from streams.log_sqlite.writer import Writer

if TYPE_CHECKING:
    from streams.log_sqlite.log import SqliteEventLog


class SqliteSubscription(Subscription):
    """Reads on from its own place; the group's durable cursor is checked and moved by `advance`."""

    def __init__(
        self,
        log: SqliteEventLog,
        writer: Writer,
        wakeup: Wakeup,
        stream: str,
        group: str | None,
        place: int | None,
        max_records: int,
        max_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        """`place` is the next offset to read; None: where the group's cursor is."""
        self._log = log
        self._writer = writer
        self._wakeup = wakeup
        self._stream = stream
        self._group = group
        self._place = place
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._clock = clock
        self._ended = False

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended = True

    async def next(self, wait: float | None = None) -> Batch | None:
        deadline = None if wait is None else asyncio.get_running_loop().time() + wait
        while True:
            if self._ended:
                raise LogUnavailable(f"this subscription to {self._stream} has ended")
            generation = self._wakeup.generation
            records = await self._log.reading(self._read)
            if records:
                assert self._place is not None
                batch = Batch(self._stream, 0, self._group, self._place, records[-1].offset + 1, records)
                self._place = batch.end
                return batch
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and (left <= 0 or not await self._wakeup.wait(generation, left)):
                return None
            if left is None:
                await self._wakeup.wait(generation, None)

    async def advance(self, batch: Batch, outputs: Sequence[NewRecord] = ()) -> Sequence[Record]:
        if batch.group is None:
            raise ValueError("a subscription without a group has no cursor to advance")
        now = self._clock()

        def operation(connection: sqlite3.Connection) -> Sequence[Record]:
            row = connection.execute("SELECT next FROM cursors WHERE stream = ? AND grp = ?", (batch.stream, batch.group)).fetchone()
            if (row[0] if row else 0) != batch.start:
                raise Overtaken(batch.stream, str(batch.group))
            connection.execute(
                "INSERT OR REPLACE INTO cursors (stream, grp, next) VALUES (?, ?, ?)", (batch.stream, batch.group, batch.end)
            )
            return [database.insert(connection, new, now) for new in outputs]

        try:
            appended: Sequence[Record] = await self._writer.run(operation)
        except Overtaken:
            self._place = None  # behind whoever moved the cursor
            raise
        return appended

    def _read(self, connection: sqlite3.Connection) -> list[Record]:
        if self._place is None:
            row = connection.execute("SELECT next FROM cursors WHERE stream = ? AND grp = ?", (self._stream, self._group)).fetchone()
            self._place = row[0] if row else 0
        statement = f'SELECT offset, key, time, headers, value FROM "{self._stream}" WHERE offset >= ? ORDER BY offset LIMIT ?'  # noqa: S608 -- a checked name
        records: list[Record] = []
        size = 0
        for row in connection.execute(statement, (self._place, self._max_records)):
            records.append(database.record(self._stream, row))
            size += len(row[4])
            if size >= self._max_bytes:
                break
        return records
