"""The writer: one thread, one connection, many appends in one commit."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from streams.errors import LogError, LogUnavailable
from streams.log_sqlite.database import connect, errors

_GROUP: Final = 256  # appends of one commit at most; more would make the first of them wait too long
Operation = Callable[[sqlite3.Connection], Any]
_Job = tuple[Operation, asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Writer:
    """Runs operations in the order in which they were given, as many in one transaction as are waiting.

    Each runs in a savepoint of its own: one that raises is undone alone. None is answered before its commit is on disk.
    """

    def __init__(self, path: Path, on_commit: Callable[[], None]) -> None:
        self._path = path
        self._on_commit = on_commit
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation) -> Any:
        """Runs the operation in a transaction and returns its result once that is durable.

        Raises:
            LogUnavailable: nothing was written.
        """
        if self._closed:
            raise LogUnavailable(f"the event log {self._path.name} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((operation, loop, future))
        # Shielded: a caller that is cancelled must not cancel the future under the writer's hands.
        return await asyncio.shield(future)

    def close(self) -> None:
        """Runs what is waiting, then ends the thread. Blocks."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        while not ended:
            job = self._jobs.get()
            jobs: list[_Job] = []
            while job is not None:
                jobs.append(job)
                if len(jobs) >= _GROUP or self._jobs.empty():
                    break
                job = self._jobs.get()
            ended = job is None
            if not jobs:
                continue
            try:
                with errors(self._path):
                    if connection is None:
                        connection = connect(self._path)
                    results = _transact(connection, [operation for operation, _, _ in jobs])
            except LogUnavailable as error:
                results = [error] * len(jobs)
            except Exception as error:  # noqa: BLE001 -- the thread must live on, and every caller must hear of it
                results = [error] * len(jobs)
            for (_, loop, future), result in zip(jobs, results, strict=True):
                with contextlib.suppress(RuntimeError):  # the loop may be closed by now; its callers are gone, too
                    loop.call_soon_threadsafe(_settle, future, result)
            self._on_commit()
        if connection is not None:
            connection.close()


def _transact(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Any]:
    results: list[Any] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for operation in operations:
            connection.execute("SAVEPOINT one")
            try:
                results.append(operation(connection))
            except (LogError, ValueError) as error:
                connection.execute("ROLLBACK TO one")
                results.append(error)
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
