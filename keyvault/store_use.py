"""Who uses the directory of a file store: any number of processes, or the one that rotates its master key."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keyvault.errors import KeyStoreUnavailable


class StoreUse:
    """A lock on the directory itself. The kernel frees it when the process ends, however it ends."""

    def __init__(self, directory: Path, *, alone: bool = False) -> None:
        """Takes the lock at once, or not at all.

        Raises:
            KeyStoreUnavailable: the master key is being rotated or, if `alone` is asked for, somebody uses the store.
            OSError: there is no such directory.
        """
        self._descriptor: int | None = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.end()
            if alone:
                raise KeyStoreUnavailable(
                    f"the key store {directory} is in use; stop the service and whatever else uses it first"
                ) from None
            raise KeyStoreUnavailable(f"the master key of {directory} is being rotated; try again when that has ended") from None
        except OSError:
            self.end()
            raise

    def end(self) -> None:
        """Gives the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def in_use(directory: Path, *, alone: bool = False) -> Iterator[None]:
    """Uses the store until the context is left; see `StoreUse`."""
    use = StoreUse(directory, alone=alone)
    try:
        yield
    finally:
        use.end()
