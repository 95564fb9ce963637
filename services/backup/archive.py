"""The file of a backup: a tar of a header, the parts, and a manifest of their checksums.

`tenantry-backup.json` comes first and says what this is; `manifest.json` comes last and has the size and the SHA-256 of every part, so
that a file that was cut off has none. The checksums find damage, not forgery: whoever can write the file can write them, too.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, Self

from services.backup.places import KEYS, LOG, TOKEN
from services.backup.progress import Progress
from services.errors import BackupError

FORMAT: Final = 1
_HEADER: Final = "tenantry-backup.json"
_MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20
_LARGEST_DOCUMENT: Final = 256 << 20  # of the manifest: a hundred bytes for each key
# Nothing else is taken out of an archive, so no name can lead out of the directory that it is restored to.
_PART: Final = re.compile(
    rf"{re.escape(LOG)}|{re.escape(TOKEN)}|{KEYS}/master-key\.check|{KEYS}/[a-z0-9][a-z0-9-]{{0,62}}/[0-9]+-[A-Za-z0-9]+\.key"
)


class Writer:
    """Writes an archive, part after part, in constant memory. Leaving its context without `finish` leaves half of one."""

    def __init__(self, stream: IO[bytes], header: dict[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 -- leaving the context closes it
        self._sums: dict[str, dict[str, Any]] = {}
        self._document(_HEADER, {"format": FORMAT, **header})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # if writing failed, so does this
            self._tar.close()

    def add(self, name: str, content: IO[bytes], size: int, progress: Progress) -> None:
        """Adds a part of exactly `size` bytes.

        Raises:
            BackupError: there are fewer.
        """
        assert _PART.fullmatch(name), f"no restore would take {name}"
        counted = _Summed(content, progress)
        try:
            self._tar.addfile(_info(name, size), counted)
        except OSError as error:
            if counted.size < size and error.errno is None:  # tarfile's own: unexpected end of data
                raise BackupError(f"{name} became shorter while it was copied; make the backup again") from error
            raise
        self._sums[name] = {"size": counted.size, "sha256": counted.hexdigest()}

    def finish(self) -> None:
        """Adds the manifest."""
        self._document(_MANIFEST, {"files": self._sums})
        self._tar.close()

    def _document(self, name: str, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self._tar.addfile(_info(name, len(content)), BytesIO(content))


class Part:
    """A part of an archive that is being read: to be read once, in its turn.

    Attributes:
        name: one of those that a backup has.
        size: bytes, as the archive claims.
    """

    def __init__(self, name: str, size: int, content: _Summed, damage: Callable[[], AbstractContextManager[None]]) -> None:
        self.name = name
        self.size = size
        self._content = content
        self._damage = damage

    def chunks(self) -> Iterator[bytes]:
        """Its bytes."""
        while True:
            with self._damage():
                chunk = self._content.read(_CHUNK)
            if not chunk:
                return
            yield chunk


class Reader:
    """Reads an archive from beginning to end. Nothing that was read is to be trusted before the end was reached without an error."""

    def __init__(self, path: Path, stream: IO[bytes], progress: Progress) -> None:
        """Reads the header.

        Raises:
            BackupError: this is no backup, or one of a newer version.
        """
        self._path = path
        self._progress = progress
        with self._damage():
            self._tar = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 -- it holds nothing but the stream, which is the caller's
            first = self._tar.next()
            if first is None or first.name != _HEADER:
                raise BackupError(f"{path} is no backup of Tenantry; name a file that `tenantry backup` made")
            self.header = self._document(first)
        if self.header.get("format") != FORMAT:
            raise BackupError(f"{path} is a backup of format {self.header.get('format')!r}; restore it with the version that made it")

    def parts(self) -> Iterator[Part]:
        """The parts; each is to be read before the next. After the last, everything has been compared with the manifest.

        Raises:
            BackupError: it is damaged, cut off, or holds something that no backup has.
        """
        sums: dict[str, dict[str, Any]] = {}
        with self._damage():
            while (member := self._tar.next()) is not None:
                if member.name == _MANIFEST:
                    if self._document(member).get("files") != sums:
                        raise BackupError(f"{self._path} is damaged: a checksum does not fit; take another backup")
                    return
                if not _PART.fullmatch(member.name) or member.name in sums or member.type != tarfile.REGTYPE or member.issparse():
                    raise BackupError(f"{self._path} holds {member.name[:200]!r}, which no backup has; nothing was restored")
                extracted = self._tar.extractfile(member)
                assert extracted is not None, "a regular file"
                content = _Summed(extracted, self._progress)
                part = Part(member.name, member.size, content, self._damage)
                yield part
                for _ in part.chunks():
                    pass  # what was not read counts, too
                sums[member.name] = {"size": content.size, "sha256": content.hexdigest()}
        raise BackupError(f"{self._path} was cut off: it has no manifest; take another backup")

    def _document(self, member: tarfile.TarInfo) -> dict[str, Any]:
        content = self._tar.extractfile(member) if member.type == tarfile.REGTYPE and member.size <= _LARGEST_DOCUMENT else None
        try:
            value = json.loads(content.read()) if content is not None else None
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise BackupError(f"{self._path} is damaged: its {member.name} can't be read; take another backup")
        return value

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
            raise BackupError(f"{self._path} is no backup, or is damaged or cut off ({error}); take another backup") from error


class _Summed:
    """A file that is read once: its size and SHA-256."""

    def __init__(self, content: IO[bytes], progress: Progress) -> None:
        self._content = content
        self._progress = progress
        self._sum = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._content.read(size)
        self._sum.update(chunk)
        self.size += len(chunk)
        self._progress.advance(len(chunk))
        return chunk

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
