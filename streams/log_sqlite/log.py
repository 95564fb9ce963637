"""`SqliteEventLog`: the port `EventLog` over one SQLite file. Every stream has one partition."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from streams.errors import Changed, LogUnavailable
from streams.event_log import EventLog, NewRecord, Record
from streams.log_sqlite import database
from streams.log_sqlite.subscription import SqliteSubscription
from streams.log_sqlite.wakeup import Wakeup
from streams.log_sqlite.writer import Writer

T = TypeVar("T")
_READERS = 2


class SqliteEventLog(EventLog):
    """The streams as tables of one file, `path`, whose directory must exist."""

    APPENDED: Final = "SELECT total(seq) FROM sqlite_sequence"

    def __init__(self, path: Path, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Opens the file, and creates it if it is not there.

        Args:
            path: the file.
            clock: epoch milliseconds; the time of appended records.

        Raises:
            LogUnavailable: it can't be opened.
        """
        self._path = path
        self._clock = clock
        with contextlib.closing(database.connect(path)) as connection, database.errors(path):
            database.create_tables(connection)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._executor = ThreadPoolExecutor(_READERS, thread_name_prefix="log-reader")
        self._wakeup = Wakeup(self._appended)
        self._writer = Writer(path, self._wakeup.from_thread)
        self._closed = False

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        now = self._clock()
        appended: Sequence[Record] = await self._writer.run(lambda connection: [database.insert(connection, new, now) for new in records])
        return appended

    async def append_if_unchanged(self, records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        if len({(new.stream, new.key) for new in records}) != 1 or records[0].key is None:
            raise ValueError("append_if_unchanged takes records of one stream and one key")
        stream, key, now = records[0].stream, records[0].key, self._clock()

        def operation(connection: sqlite3.Connection) -> Sequence[Record]:
            row = connection.execute(
                f'SELECT max(offset) FROM "{database.checked(stream)}" WHERE key = ?',  # noqa: S608 -- a checked name
                (key,),
            ).fetchone()
            if row[0] != last:
                raise Changed(stream, key, last, row[0])
            return [database.insert(connection, new, now) for new in records]

        appended: Sequence[Record] = await self._writer.run(operation)
        return appended

    async def read(self, stream: str, *, key: str | None = None, partition: int = 0, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        _only_partition(partition)
        where = "key = ? AND offset >= ?" if key is not None else "offset >= ?"
        arguments = (key, start) if key is not None else (start,)
        statement = f'SELECT offset, key, time, headers, value FROM "{database.checked(stream)}" WHERE {where} ORDER BY offset LIMIT ?'  # noqa: S608 -- a checked name

        def rows(connection: sqlite3.Connection) -> Sequence[Record]:
            return [database.record(stream, row) for row in connection.execute(statement, (*arguments, limit))]

        return await self.reading(rows)

    async def ends(self, stream: str) -> Mapping[int, int]:
        # If a trim has removed all records, sqlite_sequence remembers the last. (That of a restored log is ahead of its records.)
        name = database.checked(stream)
        last, remembered = f'SELECT max(offset) FROM "{name}"', "SELECT seq FROM sqlite_sequence WHERE name = ?"  # noqa: S608 -- a checked name
        statement = f"SELECT coalesce(({last}), ({remembered}))"
        row = await self.reading(lambda connection: connection.execute(statement, (name,)).fetchone())
        return {0: row[0] + 1 if row[0] is not None else 0}

    async def cursors(self, stream: str, group: str) -> Mapping[int, int]:
        statement = "SELECT next FROM cursors WHERE stream = ? AND grp = ?"
        row = await self.reading(lambda connection: connection.execute(statement, (database.checked(stream), group)).fetchone())
        return {0: row[0] if row else 0}

    async def partition_of(self, stream: str, key: str) -> int:  # noqa: ARG002 -- there is only one
        database.checked(stream)
        return 0

    def follow(
        self,
        stream: str,
        group: str | None,
        *,
        start: Mapping[int, int] | None = None,
        max_records: int = 1000,
        max_bytes: int = 4 << 20,
        pace: float = 0.0,  # noqa: ARG002 -- its batches cost little
    ) -> SqliteSubscription:
        database.checked(stream)
        place = None if group is not None else (start or {}).get(0, 0)
        return SqliteSubscription(self, self._writer, self._wakeup, stream, group, place, max_records, max_bytes, self._clock)

    async def trim(self, stream: str, *, group: str, before: int) -> int:
        """Removes records that the group has passed and that were appended before `before` (epoch milliseconds); how many there were.

        Kafka does this by itself, by its topics' retention.
        """

        def operation(connection: sqlite3.Connection) -> int:
            name = database.checked(stream)
            row = connection.execute("SELECT next FROM cursors WHERE stream = ? AND grp = ?", (stream, group)).fetchone()
            if row is None:
                return 0
            removed = connection.execute(f'DELETE FROM "{name}" WHERE offset < ? AND time < ?', (row[0], before))  # noqa: S608 -- a checked name
            return removed.rowcount

        removed: int = await self._writer.run(operation)
        return removed

    async def reading(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Asks the question in a reader's thread."""
        if self._closed:
            raise LogUnavailable(f"the event log {self._path.name} is closed")

        def ask() -> T:
            with database.errors(self._path):
                return question(self._reader())

        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._wakeup.close()
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._executor.shutdown)
        for connection in self._connections:
            connection.close()

    async def _appended(self) -> int:
        """How many records were ever appended, by anybody.

        Not `PRAGMA data_version`, which would be cheaper: its values mean something within one connection only, and the readers
        have several, so that a change could look like none.
        """
        count: int = await self.reading(lambda connection: connection.execute(self.APPENDED).fetchone()[0])
        return count

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = database.connect(self._path)
            self._connections.append(connection)
        return connection


def _only_partition(partition: int) -> None:
    if partition != 0:
        raise ValueError(f"there is no partition {partition}: streams have one partition in SQLite")
