"""Copies of the SQLite log: taken while it is being written, and put back in place of a lost one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streams.errors import LogUnavailable
from streams.event_log import TENANT_LOG
from streams.log_sqlite.database import connect, errors

GAP: Final = 1 << 24
"""Offsets of the tenant log that a restored copy leaves out. What was appended after the copy was taken had offsets from here: as long as
there were fewer such records, no position of theirs is given to another event. 43 bits are for offsets, so half a million restores fit."""

_PAGES: Final = 2048  # 8 MB a step: often enough for a progress bar


def copy_log(source: Path, target: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:  # noqa: ARG005
    """Copies the log as it is at one moment, while anybody goes on writing it, to a file that is not there yet.

    Args:
        source: the log's file.
        target: the new file, for its owner only. A crash leaves half of it.
        progress: is told how many pages are done, and of how many.

    Raises:
        LogUnavailable: it can't be read, can't be copied, or is damaged.
    """
    if not source.is_file():
        raise LogUnavailable(f"there is no event log {source}; nothing was copied")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with errors(source), contextlib.closing(connect(source)) as live:
        # The transaction holds one state of the log. Without it the copy would begin anew whenever somebody appends.
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as made:
                made.execute("PRAGMA journal_mode=OFF")  # half a copy is thrown away
                made.execute("PRAGMA synchronous=OFF")
                live.backup(made, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
                live.execute("ROLLBACK")
                check(made, source)
        except sqlite3.Error as error:
            raise LogUnavailable(f"the event log {source.name} can't be copied to {target.parent} ({error}); is there space?") from error


def adopt(path: Path) -> None:
    """Makes a copy fit to go on from: checks it, and leaves a gap so that no position is given twice.

    Who follows a tenant's log has positions of events that the copy may lack. If new events got the same ones, a follower would
    pass them over.

    Raises:
        LogUnavailable: the copy is damaged.
    """
    with errors(path), contextlib.closing(connect(path)) as connection:
        check(connection, path)
        connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ?", (GAP, TENANT_LOG))


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Reads all of it once.

    Raises:
        LogUnavailable: something in it is damaged.
    """
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LogUnavailable(f"the event log {path.name} is damaged ({found}); restore it from a backup")
