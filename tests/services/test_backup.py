"""The file of a backup: what is in it, what is refused, and that damage and malice restore nothing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import random
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from keyvault import key_file
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreUnavailable, MasterKeyError
from keyvault.key_store import KeyName
from keyvault.master_key import MasterKey
from keyvault.store_use import in_use
from services.backup.make import make
from services.backup.places import Places
from services.backup.progress import Progress
from services.backup.restore import restore, verify
from services.engines import open_log, open_store
from services.errors import AlreadyRunning, BackupError, SettingsError
from services.lock import UNFINISHED, DataLock
from services.settings import Settings
from streams.event_log import TENANT_LOG, NewRecord
from streams.scope import TenantScope

KEY = KeyName(TenantScope("acme"), 1, Algorithm.ES256)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a record, a key, a token, and an index."""
    data = tmp_path / "data"
    asyncio.run(fill(Settings(data=data)))
    (data / "operator.token").write_text("a token\n")
    (data / "index" / "acme").mkdir(parents=True)
    (data / "processor.lock").touch()
    return data


async def fill(settings: Settings) -> None:
    log = await open_log(settings)
    await log.append([NewRecord(TENANT_LOG, b"value", key="acme")])
    await log.close()
    store = open_store(settings)
    await store.create(KEY)
    await store.close()


def places(data: Path, **more: object) -> Places:
    return Places.of(Settings.model_validate({"data": data, **more}))


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {name: content.read() for name in tar.getnames() if (content := tar.extractfile(name)) is not None}


def left(folder: Path) -> list[str]:
    """The names in a folder, but the lock, which is no data."""
    return sorted(path.name for path in folder.iterdir() if path.name != "processor.lock") if folder.exists() else []


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


def test_a_log_that_was_damaged_before_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    size = (data / "log.sqlite").stat().st_size
    with (data / "log.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(Exception, match=r"damaged|malformed|can't be copied"):
        make(places(data), tmp_path / "backup.tar")
    assert left(tmp_path) == ["data"]


def test_a_newer_format_is_refused(data: Path, tmp_path: Path) -> None:
    make(places(data), tmp_path / "backup.tar")
    rewrite(tmp_path / "backup.tar", lambda tar, _: put(tar, "tenantry-backup.json", b'{"format": 2}'))
    with pytest.raises(BackupError, match="format 2; restore it with the version that made it"):
        verify(tmp_path / "backup.tar")


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


def test_another_engine_is_said_and_refused(data: Path, tmp_path: Path) -> None:
    real = places(data, log_url="kafka://127.0.0.1:1/t", index_url="opensearch://127.0.0.1:1/t", keys_url="vault://127.0.0.1:1/t")
    made = make(real, tmp_path / "real.tar")
    assert (made.log, made.keys, made.token) == (None, None, True)
    assert list(members(tmp_path / "real.tar")) == ["tenantry-backup.json", "operator.token", "manifest.json"]
    assert [note.partition(" is")[0] for note in real.elsewhere()[1:]] == [
        "The event log",
        "The keys are not in it: they are in Vault, which has snapshots of its own.",
    ]
    with pytest.raises(BackupError, match="with kafka and vault, and the settings say sqlite and file"):
        restore(places(tmp_path / "there"), tmp_path / "real.tar")
    make(places(data), tmp_path / "embedded.tar")
    there = places(tmp_path / "there", log_url="kafka://127.0.0.1:1/t", keys_url="vault://127.0.0.1:1/t")
    with pytest.raises(BackupError, match="with sqlite and file, and the settings say kafka and vault"):
        restore(there, tmp_path / "embedded.tar")
    restore(there, tmp_path / "real.tar")
    assert left(tmp_path / "there") == ["operator.token"]


def test_parts_that_the_settings_put_elsewhere_are_found_and_put_back_there(tmp_path: Path) -> None:
    def elsewhere(name: str) -> Settings:
        base = tmp_path / name
        return Settings(
            data=base / "data", log_url=f"sqlite://{base}/l/events.db", keys_url=f"file://{base}/k/store", master_key_file=base / "m"
        )

    asyncio.run(fill(elsewhere("one")))
    (tmp_path / "one" / "data").mkdir(exist_ok=True)
    make(Places.of(elsewhere("one")), tmp_path / "backup.tar")
    restore(Places.of(elsewhere("two")), tmp_path / "backup.tar")
    assert left(tmp_path / "two" / "l") == ["events.db"]
    assert left(tmp_path / "two" / "k") == ["store"]


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


def test_a_half_restored_directory_starts_no_service(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).touch()
    with pytest.raises(SettingsError, match="was interrupted; empty it, and restore again"):
        DataLock(tmp_path).acquire()
