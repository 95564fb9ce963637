"""What a backup holds, and when none is made."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from keyvault import key_file
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.master_key import MasterKey
from keyvault.store_use import in_use
from services.backup.make import make
from services.backup.progress import Progress
from services.backup.restore import verify
from services.engines import open_store
from services.errors import BackupError
from services.settings import Settings
from streams.scope import TenantScope
from tests.services.backup.backups import KEY, left, members, places


def test_it_holds_the_log_the_keys_and_the_token_and_neither_master_key_nor_indexes(data: Path, tmp_path: Path) -> None:
    made = make(places(data), tmp_path / "backup.tar")
    found = members(tmp_path / "backup.tar")
    parts = ["keys/master-key.check", "keys/acme/1-ES256.key", "log.sqlite", "operator.token"]
    assert list(found) == ["tenantry-backup.json", *parts, "manifest.json"]
    assert found["keys/acme/1-ES256.key"] == (data / "keys/acme/1-ES256.key").read_bytes()
    assert (data / "master.key").read_bytes().strip() not in (tmp_path / "backup.tar").read_bytes()
    manifest = json.loads(found["manifest.json"])["files"]
    assert manifest == {name: {"size": len(found[name]), "sha256": hashlib.sha256(found[name]).hexdigest()} for name in parts}
    assert (made.log, made.keys, made.token) == (len(found["log.sqlite"]), 1, True)
    assert made.size == (tmp_path / "backup.tar").stat().st_size
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    assert left(tmp_path) == ["backup.tar", "data"]


def test_keys_that_come_and_go_meanwhile_are_in_it(data: Path, tmp_path: Path) -> None:
    """The log's copy may still count on a key that is destroyed meanwhile, and may already name one that is new."""
    new = KeyName(TenantScope("globex"), 1, Algorithm.ES256)

    class Meddler(Progress):
        def expect(self, what: str, total: int) -> None:  # noqa: ARG002 -- as it is called
            if what == "copying the event log":
                asyncio.run(self.meddle())

        async def meddle(self) -> None:
            store = open_store(Settings(data=data))
            await store.destroy(KEY)
            await store.create(new)
            await store.close()

    made = make(places(data), tmp_path / "backup.tar", progress=Meddler())
    assert made.keys == 2
    found = members(tmp_path / "backup.tar")
    master = MasterKey.from_file(data / "master.key")
    assert all(key_file.opens(master, found[f"keys/{name}.key"]) for name in (KEY, new))


def test_a_log_that_was_damaged_before_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    size = (data / "log.sqlite").stat().st_size
    with (data / "log.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(Exception, match=r"damaged|malformed|can't be copied"):
        make(places(data), tmp_path / "backup.tar")
    assert left(tmp_path) == ["data"]


def test_a_backup_is_never_over_another_nor_within_the_data(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    file.write_text("precious")
    with pytest.raises(BackupError, match="is there already"):
        make(places(data), file)
    assert file.read_text() == "precious"
    make(places(data), file, replace=True)
    assert verify(file).keys == 1
    with pytest.raises(BackupError, match="within the data directory"):
        make(places(data), data / "keys" / "backup.tar")
    with pytest.raises(BackupError, match="in a directory that is there"):
        make(places(data), tmp_path / "nowhere" / "backup.tar")
    with pytest.raises(BackupError, match="nothing to back up"):
        make(places(tmp_path / "nowhere"), tmp_path / "other.tar")
    assert left(tmp_path) == ["backup.tar", "data"]


def test_not_while_the_master_key_is_being_rotated(data: Path, tmp_path: Path) -> None:
    with in_use(data / "keys", alone=True), pytest.raises(KeyStoreUnavailable, match="is being rotated"):
        make(places(data), tmp_path / "backup.tar")
    assert left(tmp_path) == ["data"]
