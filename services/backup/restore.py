"""Restoring a backup into an empty data directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyvault.durable_file import make_directory, sync_directory
from keyvault.master_key import MasterKey
from keyvault.master_key_check import fits
from services.backup.archive import Part, Reader
from services.backup.places import KEYS, LOG, TOKEN, Places
from services.backup.progress import Progress
from services.errors import BackupError
from services.lock import UNFINISHED, DataLock
from streams.log_sqlite.copy import adopt

_HARMLESS = {"processor.lock", "lost+found"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was in a backup.

    Attributes:
        made_at: when it was made, ISO 8601.
        log: bytes of the event log; None if it was in another engine.
        keys: how many keys; None likewise.
        token: whether there is the operator's token.
        master_key: the id of the master key that the keys need; None if it is not known.
    """

    made_at: str
    log: int | None
    keys: int | None
    token: bool
    master_key: str | None


def verify(file: Path, progress: Progress | None = None) -> Restored:
    """Reads the whole backup and compares every checksum; changes nothing.

    Raises:
        BackupError: it is damaged, or no backup.
    """
    with _opened(file, progress or Progress()) as reader:
        return _summary(reader.header, {part.name: part.size for part in reader.parts()})


def restore(places: Places, file: Path, *, master: MasterKey | None = None, progress: Progress | None = None) -> Restored:
    """Puts the parts where the settings say, all of them or none; then the service can start.

    Args:
        places: where the parts belong. Nothing may be there yet, but the master key.
        file: the backup.
        master: the master key, if it is there already: then it must fit the keys.
        progress: is told how far it is.

    Raises:
        BackupError: the backup is damaged, is not of these engines, or something is there already.
        AlreadyRunning: a service runs on the data directory.
        LogUnavailable: the log in the backup is damaged.
    """
    with _opened(file, progress or Progress()) as reader, DataLock(places.data):
        _check(places, reader.header)
        staged: dict[Path, Path] = {}  # where each part goes -> where it is until all have been verified
        try:
            sizes = dict(_staged(places, reader, staged))
            if places.log in staged:
                adopt(staged[places.log])
            _check_master(places, staged, master)
            _place(places.data, staged)
        except BaseException:
            for path in staged.values():
                _remove(path)
            raise
        return _summary(reader.header, sizes)


def _check(places: Places, header: dict[str, Any]) -> None:
    if (made := (header.get("log"), header.get("keys"))) != (now := (places.log_engine, places.keys_engine)):
        raise BackupError(f"this backup is of an installation with {made[0]} and {made[1]}, and the settings say {now[0]} and {now[1]}")
    harmless = set(_HARMLESS)
    if places.master_key is not None and places.master_key.parent == places.data:
        harmless.add(places.master_key.name)
    targets = [path for path in (places.log, places.keys, places.index, places.token) if path is not None]
    harmless |= {_staging(path).name for path in targets}  # of a restore that was killed
    found = [path for path in targets if path.exists()]
    found += [path for path in places.data.iterdir() if path.name not in harmless]
    if found:
        raise BackupError(f"{found[0]} is there already; restore into an empty directory, or move it away first")


def _staged(places: Places, reader: Reader, staged: dict[Path, Path]) -> Iterator[tuple[str, int]]:
    """Writes the parts beside their places, and yields names and sizes; at its end they have been verified."""
    for part in reader.parts():
        name, _, below = part.name.partition("/")
        target = {LOG: places.log, KEYS: places.keys, TOKEN: places.token}[name]
        if target is None:
            raise BackupError(f"the backup holds {part.name}, which does not belong to {places.log_engine} and {places.keys_engine}")
        if target not in staged:
            make_directory(target.parent)
            _remove(_staging(target))
            staged[target] = _staging(target)
        path = staged[target] / below if below else staged[target]
        for folder in reversed(path.relative_to(staged[target].parent).parents[:-1]):
            (staged[target].parent / folder).mkdir(mode=0o700, exist_ok=True)
        _write(path, part)
        yield part.name, part.size


def _write(path: Path, part: Part) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        for chunk in part.chunks():
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())


def _check_master(places: Places, staged: dict[Path, Path], master: MasterKey | None) -> None:
    if places.keys in staged and master is not None and not fits(staged[places.keys], master):
        raise BackupError("the master key here is not that of the keys in this backup; give the one of that time, or none yet")


def _place(data: Path, staged: dict[Path, Path]) -> None:
    """Renames everything to its place. Killed in between, it leaves a mark because of which no service starts."""
    for path in staged.values():
        for folder in [path, *path.rglob("*")] if path.is_dir() else []:
            if folder.is_dir():
                sync_directory(folder)
    (data / UNFINISHED).touch(mode=0o600, exist_ok=False)
    sync_directory(data)
    for target, path in staged.items():
        path.rename(target)
        sync_directory(target.parent)
    (data / UNFINISHED).unlink()
    sync_directory(data)


def _summary(header: dict[str, Any], sizes: dict[str, int]) -> Restored:
    keys = sum(name.endswith(".key") for name in sizes) if header.get("keys") == "file" else None
    return Restored(str(header.get("made_at")), sizes.get(LOG), keys, TOKEN in sizes, header.get("master_key"))


def _staging(target: Path) -> Path:
    return target.with_name(f".{target.name}.restoring")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        return
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(FileNotFoundError):
            path.with_name(name).unlink()


@contextmanager
def _opened(file: Path, progress: Progress) -> Iterator[Reader]:
    try:
        with file.open("rb") as stream:
            progress.expect(f"reading {file.name}", file.stat().st_size)
            yield Reader(file, stream, progress)
    except OSError as error:
        raise BackupError(f"{file} can't be restored ({error.strerror}: {error.filename}); nothing was changed") from error
