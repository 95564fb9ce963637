"""Rotating the master key: every key of a store is encrypted anew, and a crash at any point can be continued from.

The steps, each durable before the next: the new master key is in a file; the check says that keys may be under either; each key's file is
replaced; the check says that all are under the new one; the new master key takes its place. So at each moment there are one or two
master keys, both in files, of which one opens any given key. Nobody else uses the store meanwhile (`StoreUse`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from keyvault import durable_file, key_file, master_key_check
from keyvault.errors import KeyStoreConflict
from keyvault.master_key import MasterKey
from keyvault.store_use import in_use

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation that has ended.

    Attributes:
        keys: how many keys are under the new master key.
        id: names the new master key.
        kept: the file in which the old one is kept, for backups that were made before.
    """

    keys: int
    id: str
    kept: Path | None


def next_file(file: Path) -> Path:
    """Where the new master key waits for the rotation to end. While it is there, a rotation of this file is not finished."""
    return file.with_name(f"{file.name}.next")


def rotate_file(directory: Path, file: Path, progress: Progress = lambda done, total: None) -> Rotated:  # noqa: ARG005
    """Makes a new master key, and puts it in place of the one in the file; or finishes doing so. The old one is kept beside it.

    Raises:
        MasterKeyError: the file is missing, or is not the store's master key.
        KeyStoreConflict: a key can't be opened; nothing was changed.
        KeyStoreUnavailable: somebody uses the store.
        OSError: a file can't be written; run it again.
    """
    with in_use(directory, alone=True):
        old = MasterKey.from_file(file)
        if not next_file(file).exists() and not master_key_check.fits(directory, old):
            raise master_key_check.wrong(directory)
        new = MasterKey.from_file(next_file(file), create=True)
        keys = _encrypt_anew(directory, old, new, progress)
        kept = file.with_name(f"{file.name}.{old.id}")
        with suppress(FileExistsError):
            os.link(file, kept)
        next_file(file).replace(file)
        durable_file.sync_directory(file.parent)
        return Rotated(keys, new.id, kept)


def rotate_to(directory: Path, old: MasterKey, new: MasterKey, progress: Progress = lambda done, total: None) -> Rotated:  # noqa: ARG005
    """Encrypts everything under a master key that is kept safe already; or finishes doing so.

    Raises:
        MasterKeyError: the old one is not the store's.
        KeyStoreConflict: a key can't be opened; nothing was changed.
        KeyStoreUnavailable: somebody uses the store.
        OSError: a file can't be written; run it again.
    """
    with in_use(directory, alone=True):
        return Rotated(_encrypt_anew(directory, old, new, progress), new.id, None)


def _encrypt_anew(directory: Path, old: MasterKey, new: MasterKey, progress: Progress) -> int:
    if not master_key_check.fits(directory, old) and not master_key_check.fits(directory, new):
        raise master_key_check.wrong(directory)
    paths = sorted(directory.glob("*/*.key"))
    for path in paths:
        content = path.read_bytes()
        if not key_file.is_tombstone(content) and not key_file.opens(old, content) and not key_file.opens(new, content):
            raise KeyStoreConflict(f"{path} was altered; restore it from its backup. The master key was not rotated")
    master_key_check.begin(directory, old, new)
    count = 0
    for done, path in enumerate(paths, 1):
        content = path.read_bytes()
        if not key_file.is_tombstone(content):
            count += 1
            if not key_file.opens(new, content):
                durable_file.replace(path, key_file.reseal(old, new, content))
        progress(done, len(paths))
    master_key_check.finish(directory, new)
    return count
