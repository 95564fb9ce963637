"""One tenant's directory: generations of its index, and the pointer to the present one.

    <root>/<tenant>/CURRENT     the name of the present generation, and the fingerprint of its schema
    <root>/<tenant>/gen-7/      a tantivy index
    <root>/<tenant>/gen-8/      being filled by a rebuild, or left over from one that was killed

`CURRENT` is replaced by renaming, so at every moment it names a whole generation; everything else may be removed. All calls block.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from streams.errors import IndexMissing, IndexUnavailable
from streams.index_tantivy.schema import FINGERPRINT

_CURRENT: Final = "CURRENT"
_GENERATION = re.compile(r"gen-(\d{1,9})", re.ASCII)


class TenantDirectory:
    """The generations of one tenant's index."""

    def __init__(self, root: Path, tenant: str) -> None:
        self.tenant = tenant
        self._path = root / tenant

    def current(self) -> Path:
        """Where the present generation is.

        Raises:
            IndexMissing: there is none.
            IndexUnavailable: the pointer points nowhere.
        """
        try:
            name, _, schema = (self._path / _CURRENT).read_text(encoding="utf-8", errors="replace").strip().partition(" ")
        except FileNotFoundError:
            raise IndexMissing(self.tenant) from None
        if _GENERATION.fullmatch(name) and schema != FINGERPRINT:
            # Of another version of Tenantry. It is only a projection: a new one is filled from the log.
            raise IndexMissing(self.tenant)
        if not _GENERATION.fullmatch(name) or not (self._path / name).is_dir():
            raise self.broken(f"{_CURRENT} names {name[:40]!r}, which is no generation of it")
        return self._path / name

    def broken(self, why: str) -> IndexUnavailable:
        """What to raise, and tell the operator, when the directory can't be used."""
        return IndexUnavailable(
            f"the search index of tenant {self.tenant!r} in {self._path} can't be opened: {why}; "
            "move the directory away and start again: the index is filled anew from the tenant log"
        )

    def next(self) -> Path:
        """An empty directory for a new generation, newer than all that are there."""
        numbers = [int(found[1]) for entry in self._path.glob("gen-*") if (found := _GENERATION.fullmatch(entry.name))]
        path = self._path / f"gen-{max(numbers, default=0) + 1}"
        path.mkdir(parents=True)
        return path

    def point(self, generation: Path) -> None:
        """Makes `generation` the present one, durably and at once."""
        _sync(generation)
        beside = self._path / f"{_CURRENT}.new"
        with beside.open("w", encoding="utf-8") as file:
            file.write(f"{generation.name} {FINGERPRINT}")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path / _CURRENT)
        _sync(self._path)
        _sync(self._path.parent)

    def clean(self) -> None:
        """Removes every generation but the present one."""
        try:
            present = self.current().name
        except IndexMissing:
            present = None
        for entry in self._path.glob("gen-*"):
            if _GENERATION.fullmatch(entry.name) and entry.name != present:
                shutil.rmtree(entry)

    def remove(self) -> None:
        """Removes everything; the pointer first, so that an interrupted removal leaves no index rather than half of one."""
        if self._path.is_dir():
            (self._path / _CURRENT).unlink(missing_ok=True)
            _sync(self._path)
            shutil.rmtree(self._path)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
