"""Files that are there whole or not at all, after any crash and whoever else writes them."""

from __future__ import annotations

import errno
import os
import secrets
import time
from pathlib import Path

_STALE_AFTER = 3600  # seconds; a temporary file of a living writer is milliseconds old
_OWNER_ONLY = 0o600
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def create_once(path: Path, data: bytes) -> bool:
    """Creates the file, mode 0600, unless it exists: whether this call did. Either way it is durable afterwards.

    Of any number of callers exactly one creates it, and nobody ever sees half of it: a link, unlike a rename, never replaces.

    Raises:
        OSError: the file was not created, and nothing is left behind.
    """
    temporary = _write_temporary(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        created = False
    else:
        created = True
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)  # the loser, too: the winner may not have come so far
    return created


def replace(path: Path, data: bytes) -> None:
    """Puts the data in place of the file, atomically and durably.

    Raises:
        OSError: the file is as it was, and nothing is left behind.
    """
    temporary = _write_temporary(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def publish(part: Path, path: Path, *, replaces: bool) -> None:
    """Gives a file of the same directory that is whole, and synced, its name, durably.

    Args:
        part: the file, under another name, which it may keep: whoever calls this removes that, whatever comes of it.
        path: its name.
        replaces: whether it takes the place of a file that has the name.

    Raises:
        FileExistsError: a file has the name, and was not to be replaced.
        OSError: else; there is no new file of that name.
    """
    if not replaces:
        try:
            os.link(part, path)  # unlike a rename, never over another file
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without links: the name is taken with an empty file, which is nobody's but ours to replace.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
            replaces = True
    if replaces:
        part.replace(path)
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Creates the directory, mode 0700, unless it exists, durably."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Makes what was created, replaced and removed in the directory survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(path: Path) -> None:
    """Removes the temporary files that killed writers left in the directory. They were never anybody's key."""
    for temporary in path.glob(".*.tmp"):
        if time.time() - temporary.stat().st_mtime > _STALE_AFTER:
            temporary.unlink(missing_ok=True)


def _write_temporary(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
