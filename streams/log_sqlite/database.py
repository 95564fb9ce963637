"""The SQLite file: its tables, settings and errors."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streams.errors import LogUnavailable
from streams.event_log import STREAMS, NewRecord, Record

_BUSY_TIMEOUT_MS = 30_000
_WAL_PAGES = 4_000  # checkpoint every 16 MB: fewer, larger writes to the main file than SQLite's default of 4 MB

# One table a stream: appends are then to the end of one B-tree. AUTOINCREMENT, so that offsets are not used again after a trim.
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS cursors (stream TEXT, grp TEXT, next INTEGER NOT NULL, PRIMARY KEY (stream, grp)) WITHOUT ROWID",
    *(
        f'CREATE TABLE IF NOT EXISTS "{stream}" '
        "(offset INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, time INTEGER NOT NULL, headers TEXT, value BLOB NOT NULL)"
        for stream in STREAMS
    ),
    *(f'CREATE INDEX IF NOT EXISTS "{stream}-by-key" ON "{stream}" (key, offset) WHERE key IS NOT NULL' for stream in STREAMS),
)


def connect(path: Path, *, timeout_ms: int = _BUSY_TIMEOUT_MS) -> sqlite3.Connection:
    """A connection to the file, which is created if it is not there.

    `synchronous=FULL` makes a commit survive a power cut, not only a crash of the process
    (https://www.sqlite.org/pragma.html#pragma_synchronous); the writer commits in groups, so many appends share its cost.
    """
    with errors(path):
        _make_private(path)
        connection = sqlite3.connect(path, timeout=timeout_ms / 1000, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        except BaseException:
            connection.close()
            raise
        return connection


def _make_private(path: Path) -> None:
    """Everybody's events are in it: only the owner may read it, whatever the directory allows. SQLite's other files get the same mode."""
    # Only if it is not there: closing any descriptor of a file gives up all locks that this process has on it
    # (https://www.sqlite.org/howtocorrupt.html, section 2.2). Other errors SQLite itself says better.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def create_tables(connection: sqlite3.Connection) -> None:
    """Creates what is missing; safe when several processes start at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors, as of a full disk, have undone it already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turns what SQLite raises into `LogUnavailable`, with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error)
        if "full" in message:
            advice = "free some disk space; nothing of this write was kept"
        elif "locked" in message:
            advice = "another process holds it for long; look for a stuck one"
        elif "not a database" in message or "malformed" in message:
            advice = "restore it from a backup"
        else:
            advice = "check that the directory exists, is writable and has space"
        raise LogUnavailable(f"the event log {path.name} can't be used ({message}); {advice}") from error


def insert(connection: sqlite3.Connection, record: NewRecord, now: int) -> Record:
    """Appends one record, within the transaction under way."""
    headers = json.dumps(dict(record.headers)) if record.headers else None
    cursor = connection.execute(
        f'INSERT INTO "{checked(record.stream)}" (key, time, headers, value) VALUES (?, ?, ?, ?)',  # noqa: S608 -- a checked name
        (record.key, now, headers, record.value),
    )
    offset = cursor.lastrowid
    assert offset is not None
    return Record(record.stream, 0, offset, record.key, record.value, record.headers, now)


def record(stream: str, row: tuple[int, str | None, int, str | None, bytes]) -> Record:
    """The record of a row `(offset, key, time, headers, value)`."""
    offset, key, time, headers, value = row
    parsed: Mapping[str, str] = json.loads(headers) if headers else {}
    return Record(stream, 0, offset, key, value, parsed, time)


def checked(stream: str) -> str:
    """The name itself, if it is one of the streams: it becomes part of a statement."""
    if stream not in STREAMS:
        raise ValueError(f"{stream!r} is not a stream; there are {', '.join(STREAMS)}")
    return stream
