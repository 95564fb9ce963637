"""The file of a backup: damage and malice restore nothing."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from services.backup.make import make
from services.backup.restore import restore, verify
from services.errors import BackupError
from tests.services.backup.backups import left, members, places


def rewrite(file: Path, change: Callable[[tarfile.TarFile, Mapping[str, bytes]], None]) -> None:
    """The backup, made anew from its members by `change`."""
    found = members(file)
    with tarfile.open(file, "w") as tar:
        change(tar, found)


def put(tar: tarfile.TarFile, name: str, content: bytes = b"", **more: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in more.items():
        setattr(info, attribute, value)
    tar.addfile(info, io.BytesIO(content))


def with_manifest(extra: Callable[[tarfile.TarFile], None], *names: str) -> Callable[[tarfile.TarFile, Mapping[str, bytes]], None]:
    """The same members, then something more, which the manifest has, too."""

    def change(tar: tarfile.TarFile, found: Mapping[str, bytes]) -> None:
        for name, content in found.items():
            if name != "manifest.json":
                put(tar, name, content)
        extra(tar)
        manifest = json.loads(found["manifest.json"])
        manifest["files"] |= {name: {"size": 4, "sha256": hashlib.sha256(b"evil").hexdigest()} for name in names}
        put(tar, "manifest.json", json.dumps(manifest).encode())

    return change


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "keys/../../evil", "keys/acme/../../evil.key", "index/acme", "keys/a.b/1-ES256.key", "master.key"]
)
def test_a_name_that_no_backup_has_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    make(places(data), tmp_path / "backup.tar")
    rewrite(tmp_path / "backup.tar", with_manifest(lambda tar: put(tar, name, b"evil"), name))
    with pytest.raises(BackupError, match="which no backup has"):
        restore(places(tmp_path / "there"), tmp_path / "backup.tar")
    assert left(tmp_path / "there") == []
    assert left(tmp_path) == ["backup.tar", "data", "there"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_a_part_that_is_no_file_is_refused(data: Path, tmp_path: Path, kind: bytes) -> None:
    make(places(data), tmp_path / "backup.tar")
    name = "keys/acme/2-ES256.key"
    rewrite(tmp_path / "backup.tar", with_manifest(lambda tar: put(tar, name, type=kind, linkname="../../../data/master.key")))
    with pytest.raises(BackupError, match=r"which no backup has|damaged"):
        restore(places(tmp_path / "there"), tmp_path / "backup.tar")
    assert left(tmp_path / "there") == []


def test_a_part_that_comes_twice_is_refused(data: Path, tmp_path: Path) -> None:
    make(places(data), tmp_path / "backup.tar")
    rewrite(tmp_path / "backup.tar", with_manifest(lambda tar: put(tar, "operator.token", b"evil"), "operator.token"))
    with pytest.raises(BackupError, match="which no backup has"):
        restore(places(tmp_path / "there"), tmp_path / "backup.tar")


def test_damage_anywhere_is_found_and_nothing_is_restored(data: Path, tmp_path: Path) -> None:
    file, damaged = tmp_path / "backup.tar", tmp_path / "damaged.tar"
    make(places(data), file)
    content, dice = file.read_bytes(), random.Random(1)
    whole = [b"".join(members(file).values())]
    for place in [0, 300, len(content) // 2, *dice.sample(range(len(content)), 30)]:
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            restore(places(tmp_path / "there"), damaged)
        except BackupError:
            assert left(tmp_path / "there") == [], place
        else:  # a byte that carries nothing: between the members, or in a header's unused field
            assert [b"".join(members(damaged).values())] == whole, place
            shutil.rmtree(tmp_path / "there")
    for size in [0, 10, 511, 512, 5000, len(content) // 2, content.rindex(b"manifest.json"), content.rindex(b'{"files"') + 20]:
        damaged.write_bytes(content[:size])
        with pytest.raises(BackupError, match=r"no backup|cut off|damaged"):
            restore(places(tmp_path / "there"), damaged)
        with pytest.raises(BackupError, match=r"no backup|cut off|damaged"):
            verify(damaged)
        assert left(tmp_path / "there") == [], size


def test_a_newer_format_is_refused(data: Path, tmp_path: Path) -> None:
    make(places(data), tmp_path / "backup.tar")
    rewrite(tmp_path / "backup.tar", lambda tar, _: put(tar, "tenantry-backup.json", b'{"format": 2}'))
    with pytest.raises(BackupError, match="format 2; restore it with the version that made it"):
        verify(tmp_path / "backup.tar")
