"""Making a backup, while the service runs or not."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO

from keyvault.durable_file import publish
from keyvault.master_key_check import CHECK, master_key_id
from keyvault.store_use import in_use
from services.backup.archive import Writer
from services.backup.places import KEYS, LOG, TOKEN, Places
from services.backup.progress import Progress
from services.errors import BackupError
from streams.log_sqlite.copy import copy_log


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there, whole and durable.

    Attributes:
        log: bytes of the event log in it; None if it is in another engine.
        keys: how many keys are in it; None likewise.
        token: whether the operator's token is in it.
        size: bytes of the file.
    """

    log: int | None
    keys: int | None
    token: bool
    size: int


def make(places: Places, file: Path, *, replace: bool = False, progress: Progress | None = None) -> Made:
    """Copies the parts into the file, which appears under its name when it is whole, and not before.

    Args:
        places: where the parts are.
        file: the backup.
        replace: whether the file may be there already.
        progress: is told how far it is.

    Raises:
        BackupError: it can't be made; there is no new file.
        LogUnavailable: the log can't be copied.
        KeyStoreError: the keys' master key is being rotated.
    """
    _check(places, file, replace=replace)
    try:
        with _part(file) as stream, _keys_in_use(places):
            made = _write(places, file, stream, progress or Progress())
            _publish(file, stream, replace=replace)
    except OSError as error:
        raise BackupError(f"{file} can't be written ({error.strerror}); there is no new backup") from error
    return made


def _check(places: Places, file: Path, *, replace: bool) -> None:
    if not places.data.is_dir():
        raise BackupError(f"TENANTRY_DATA: there is no directory {places.data}, so there is nothing to back up")
    if file.is_dir() or not file.parent.is_dir():
        raise BackupError(f"{file} can't be a backup: name a new file in a directory that is there")
    if file.exists() and not replace:
        raise BackupError(f"{file} is there already; name another file, or allow to --replace it")
    if file.resolve().is_relative_to(places.data.resolve()):
        raise BackupError(f"{file} is within the data directory, and would be lost with it; name a file elsewhere")
    if places.log is not None and not places.log.is_file():
        raise BackupError(f"there is no event log {places.log}; look at TENANTRY_DATA and TENANTRY_LOG_URL")


def _keys_in_use(places: Places) -> AbstractContextManager[None]:
    """While it is open, the master key is not rotated."""
    return in_use(places.keys) if places.keys is not None and places.keys.is_dir() else nullcontext()


def _write(places: Places, file: Path, stream: IO[bytes], progress: Progress) -> Made:
    header = {
        "version": version("tenantry"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "log": places.log_engine,
        "keys": places.keys_engine,
        "master_key": master_key_id(places.keys) if places.keys is not None else None,
    }
    with Writer(stream, header) as writer:
        # The keys before the log: one that is destroyed meanwhile is whole in the copy, as the log's copy may still count on it. And those
        # that are new after it: a key is in the store before the log names it, so all that the log's copy names are there.
        packed: set[str] = set()
        _add_keys(writer, places.keys, packed, progress)
        log = _add_log(writer, places.log, file.with_name(f".{file.name}.log"), progress) if places.log is not None else None
        _add_keys(writer, places.keys, packed, progress)
        keys = sum(name.endswith(".key") for name in packed) if places.keys is not None else None
        token = places.token.is_file()
        if token:
            _add_small(writer, TOKEN, places.token)
        writer.finish()
    return Made(log, keys, token, stream.tell())


def _add_log(writer: Writer, log: Path, copy: Path, progress: Progress) -> int:
    copy.unlink(missing_ok=True)  # of a backup that was killed; nobody else makes this one now
    told = 0

    def pages(done: int, total: int) -> None:
        nonlocal told
        if not told:
            progress.expect("copying the event log", total)
        progress.advance(done - told)
        told = done

    try:
        copy_log(log, copy, pages)
        size = copy.stat().st_size
        progress.expect("packing the event log", size)
        with copy.open("rb") as content:
            writer.add(LOG, content, size, progress)
    finally:
        for path in (copy, copy.with_name(f"{copy.name}-wal"), copy.with_name(f"{copy.name}-shm")):
            path.unlink(missing_ok=True)
    return size


def _add_keys(writer: Writer, keys: Path | None, packed: set[str], progress: Progress) -> None:
    """Adds the keys that are not `packed` yet."""
    if keys is None:
        return
    names = [name for path in (keys / CHECK, *sorted(keys.glob("*/*.key"))) if (name := str(path.relative_to(keys))) not in packed]
    progress.expect("packing the keys", len(names))
    for name in names:
        if (keys / name).is_file():
            _add_small(writer, f"{KEYS}/{name}", keys / name)
            packed.add(name)
        progress.advance(1)


def _add_small(writer: Writer, name: str, path: Path) -> None:
    content = path.read_bytes()  # at once: another process may replace the file meanwhile
    writer.add(name, BytesIO(content), len(content), Progress())


@contextmanager
def _part(file: Path) -> Iterator[IO[bytes]]:
    """The file while it is not whole, under another name. A backup that was killed leaves it to the next one of this name."""
    path = file.with_name(f".{file.name}.part")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"another backup to {file} is under way; wait for it, or name another file") from error
        os.fchmod(stream.fileno(), 0o600)
        stream.truncate()
        try:
            yield stream
        finally:
            path.unlink(missing_ok=True)


def _publish(file: Path, stream: IO[bytes], *, replace: bool) -> None:
    stream.flush()
    os.fsync(stream.fileno())
    publish(file.with_name(f".{file.name}.part"), file, replaces=replace)
