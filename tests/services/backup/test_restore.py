"""What a restore brings back, and where it refuses to."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from keyvault.errors import MasterKeyError
from keyvault.master_key import MasterKey
from services.backup.make import make
from services.backup.restore import restore, verify
from services.engines import open_log, open_store
from services.errors import AlreadyRunning, BackupError, SettingsError
from services.lock import UNFINISHED, DataLock
from services.settings import Settings
from streams.event_log import TENANT_LOG, NewRecord
from tests.services.backup.backups import KEY, left, places


def test_what_is_restored_is_what_was_there(data: Path, tmp_path: Path) -> None:
    make(places(data), tmp_path / "backup.tar")
    there = tmp_path / "there"
    restored = restore(places(there), tmp_path / "backup.tar")
    assert left(there) == ["keys", "log.sqlite", "operator.token"]
    for name in ("keys/acme/1-ES256.key", "keys/master-key.check", "operator.token"):
        assert (there / name).read_bytes() == (data / name).read_bytes()
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.rglob("*") if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.rglob("*") if path.is_file()} == {0o600}
    assert restored.master_key == MasterKey.from_file(data / "master.key").id
    assert verify(tmp_path / "backup.tar") == restored

    async def use() -> None:
        log = await open_log(Settings(data=there))
        assert [(record.key, record.value) for record in await log.read(TENANT_LOG)] == [("acme", b"value")]
        await log.close()
        with pytest.raises(MasterKeyError, match="is missing; restore it"):
            open_store(Settings(data=there))
        shutil.copy(data / "master.key", there)
        store = open_store(Settings(data=there))
        assert await store.sign(KEY, [b"message"])
        await store.close()

    asyncio.run(use())


def test_no_position_is_given_twice(data: Path, tmp_path: Path) -> None:
    """A follower has positions of events that the backup lacks; new events must come after them."""
    make(places(data), tmp_path / "backup.tar")

    async def append(settings: Settings, count: int) -> list[int]:
        log = await open_log(settings)
        appended = [(await log.append([NewRecord(TENANT_LOG, b"more", key="acme")]))[0].offset for _ in range(count)]
        assert await log.ends(TENANT_LOG) == {0: appended[-1] + 1}
        await log.close()
        return appended

    seen = asyncio.run(append(Settings(data=data), 100))
    restore(places(tmp_path / "there"), tmp_path / "backup.tar")

    async def ends() -> Mapping[int, int]:
        log = await open_log(Settings(data=tmp_path / "there"))
        found = await log.ends(TENANT_LOG)
        await log.close()
        return found

    assert asyncio.run(ends()) == {0: 2}, "nothing seems to wait for being indexed"
    new = asyncio.run(append(Settings(data=tmp_path / "there"), 2))
    assert min(new) > max(seen)


def test_a_directory_with_anything_in_it_is_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    make(places(data), file)
    for name in ("log.sqlite", "keys", "operator.token", "index", "notes.txt"):
        there = tmp_path / name / "there"
        there.mkdir(parents=True)
        (there / name).mkdir()
        with pytest.raises(BackupError, match=f"{name} is there already; restore into an empty directory"):
            restore(places(there), file)
        assert left(there) == [name]
    with DataLock(tmp_path / "there"), pytest.raises(AlreadyRunning):
        restore(places(tmp_path / "there"), file)


def test_the_master_key_may_be_there_and_then_must_fit(data: Path, tmp_path: Path) -> None:
    file, there = tmp_path / "backup.tar", tmp_path / "there"
    make(places(data), file)
    there.mkdir()
    (there / "master.key").write_bytes((data / "master.key").read_bytes())
    with pytest.raises(BackupError, match="master key here is not that of the keys"):
        restore(places(there), file, master=MasterKey(bytes(32)))
    assert left(there) == ["master.key"]
    restore(places(there), file, master=MasterKey.from_file(data / "master.key"))
    assert left(there) == ["keys", "log.sqlite", "master.key", "operator.token"]


def test_a_half_restored_directory_starts_no_service(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).touch()
    with pytest.raises(SettingsError, match="was interrupted; empty it, and restore again"):
        DataLock(tmp_path).acquire()
