"""The lock of a data directory: one process at a time routes and indexes there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.errors import AlreadyRunning, SettingsError

UNFINISHED: Final = "restore.unfinished"
"""The mark of a restore that is putting its parts in place: until it has gone, not all of them are there."""


class DataLock:
    """Held while a process writes the search indexes. The kernel frees it when the process ends, however it ends."""

    def __init__(self, data: Path) -> None:
        self._path = data / "processor.lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            AlreadyRunning: another process has it.
            SettingsError: the directory can't be written, or holds half of a backup.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(
                f"TENANTRY_DATA: {self._path.parent} can't be used ({error.strerror}); name a writable directory"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise AlreadyRunning(
                f"another process serves {self._path.parent}; stop it, or set TENANTRY_DATA to another directory"
            ) from error
        if (self._path.parent / UNFINISHED).exists():
            os.close(file)
            raise SettingsError(f"TENANTRY_DATA: a restore into {self._path.parent} was interrupted; empty it, and restore again")
        self._file = file

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        """Takes the lock."""
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Gives it back."""
        self.release()
