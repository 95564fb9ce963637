"""The file store, beyond the contract of its port: what is on the disk, and what happens when that is not as it was left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keyvault import key_file
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyDestroyed, KeyNotFound, KeyStoreConflict, KeyStoreError, KeyStoreUnavailable, MasterKeyError
from keyvault.key_store import KeyName
from keyvault.master_key import MasterKey
from keyvault.store_file import FileKeyStore
from streams.scope import TenantScope

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")
NAME = KeyName(ACME, 1, Algorithm.ES256)
MASTER = MasterKey(bytes(32))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileKeyStore]:
    store = FileKeyStore(tmp_path / "keys", MASTER)
    yield store
    await store.close()


def file_of(folder: Path, name: KeyName) -> Path:
    return folder / "keys" / name.scope.tenant / f"{name.ordinal}-{name.algorithm}.key"


async def test_files_are_their_owners_only_and_nothing_else_is_left(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    assert modes(tmp_path) == {
        "keys": 0o700,
        "keys/acme": 0o700,
        "keys/acme/1-ES256.key": 0o600,
        "keys/master-key.check": 0o600,
    }


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


async def test_a_private_key_is_neither_on_the_disk_nor_shown(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    content = file_of(tmp_path, NAME).read_bytes()
    opened = key_file.unseal(MASTER, NAME, content)
    der = opened.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert der not in content
    assert "private" not in repr(opened)
    assert "OpenedKey" not in repr(vars(store)["_master"])
    file_of(tmp_path, NAME).write_bytes(content[:-1])
    with pytest.raises(KeyStoreConflict) as raised:
        await store.sign(NAME, [b"message"])
    shown = "".join(traceback.format_exception(raised.value))
    assert der.hex() not in shown
    assert str(content) not in shown


async def test_a_file_under_another_tenants_name_is_not_their_key(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    theirs = KeyName(GLOBEX, 1, Algorithm.ES256)
    file_of(tmp_path, theirs).parent.mkdir()
    shutil.copy(file_of(tmp_path, NAME), file_of(tmp_path, theirs))
    for attempt in (store.create, store.public_key):
        with pytest.raises(KeyStoreConflict, match="holds another key, 'acme/1-ES256'"):
            await attempt(theirs)
    renamed = file_of(tmp_path, NAME).read_bytes().replace(b"acme/1", b"globex/1")
    file_of(tmp_path, theirs).write_bytes(renamed)
    with pytest.raises(KeyStoreConflict, match="was altered"):
        await store.sign(theirs, [b"message"])


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c[:40], lambda _: b"", lambda c: c.replace(b'"x":"', b'"x":"A', 1), lambda _: b"[]\n"]
)
async def test_an_altered_file_is_refused(store: FileKeyStore, tmp_path: Path, change: object) -> None:
    await store.create(NAME)
    path = file_of(tmp_path, NAME)
    assert callable(change)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(KeyStoreConflict, match="altered"):
        await store.public_key(NAME)
    with pytest.raises(KeyStoreConflict, match="altered"):
        await store.create(NAME)


async def test_another_master_key_is_refused(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    with pytest.raises(MasterKeyError, match="encrypted under another master key; give the one"):
        FileKeyStore(tmp_path / "keys", MasterKey(bytes([1]) * 32))
    (tmp_path / "keys" / "master-key.check").unlink()
    with pytest.raises(MasterKeyError, match="another master key"):
        FileKeyStore(tmp_path / "keys", MasterKey(bytes([1]) * 32))
    await FileKeyStore(tmp_path / "keys", MASTER).close()


async def test_a_lost_master_key_file_is_not_replaced(tmp_path: Path) -> None:
    keys, file = tmp_path / "keys", tmp_path / "master.key"
    await FileKeyStore.open(keys, master_key_file=file).close()
    file.unlink()
    with pytest.raises(MasterKeyError, match="is missing; restore it"):
        FileKeyStore.open(keys, master_key_file=file)
    assert not file.exists()


async def test_the_master_key_may_come_from_the_environment(tmp_path: Path) -> None:
    text = "q" * 42 + "o"
    store = FileKeyStore.open(tmp_path, master_key_text=text, master_key_file=tmp_path / "unused")
    await store.create(NAME)
    await store.close()
    other = FileKeyStore.open(tmp_path, master_key_text=text)
    assert await other.sign(NAME, [b"message"])
    await other.close()
    assert not (tmp_path / "unused").exists()
    with pytest.raises(MasterKeyError, match="there is no master key"):
        FileKeyStore.open(tmp_path)


async def test_a_destroyed_key_leaves_a_tombstone_without_it(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    await store.destroy(NAME)
    assert file_of(tmp_path, NAME).read_bytes() == b'{"version":1,"name":"acme/1-ES256","destroyed":true}\n'
    with pytest.raises(KeyDestroyed):
        await store.sign(NAME, [b"message"])


async def test_a_key_whose_file_is_gone_does_not_sign_from_memory(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    await store.sign(NAME, [b"message"])
    file_of(tmp_path, NAME).unlink()
    with pytest.raises(KeyNotFound):
        await store.sign(NAME, [b"message"])


async def test_what_a_killed_writer_left_is_swept_when_it_is_old(store: FileKeyStore, tmp_path: Path) -> None:
    await store.create(NAME)
    old, young = (tmp_path / "keys" / "acme" / f".2-ES256.key.{n}.tmp" for n in range(2))
    for path in (old, young):
        path.write_bytes(b"half a key")
    os.utime(old, (0, 0))
    await FileKeyStore(tmp_path / "keys", MASTER).close()
    assert (old.exists(), young.exists()) == (False, True)


async def test_a_closed_store_is_unavailable(store: FileKeyStore) -> None:
    await store.close()
    with pytest.raises(KeyStoreUnavailable, match="is closed"):
        await store.create(NAME)


async def test_a_file_in_place_of_the_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a directory")
    with pytest.raises(KeyStoreUnavailable, match="can't be used now"):
        FileKeyStore(tmp_path / "keys", MASTER)


DISK_FULL = """
import asyncio, pathlib, resource, sys
from keyvault.errors import KeyStoreUnavailable
from tests.keyvault.test_store_file import MASTER, NAME, FileKeyStore

async def main():
    store = FileKeyStore(pathlib.Path(sys.argv[1]) / "keys", MASTER)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))  # less than a key needs
    try:
        await store.create(NAME)
    except KeyStoreUnavailable as error:
        print("unavailable:", error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("files:", [path.name for path in pathlib.Path(sys.argv[1]).rglob("*.key*")])
    print((await store.create(NAME)).alg)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))  # less than a tombstone needs
    try:
        await store.destroy(NAME)
    except KeyStoreUnavailable:
        print("still there:", len(await store.sign(NAME, [b"message"])))
    print("files:", [path.name for path in (pathlib.Path(sys.argv[1]) / "keys" / "acme").iterdir()])
    await store.close()

asyncio.run(main())
"""


def test_a_full_disk_leaves_no_half_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(tmp_path)], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("unavailable:")
    assert lines[1:] == ["files: []", "ES256", "still there: 1", "files: ['1-ES256.key']"]


def test_its_errors_are_those_of_a_key_store() -> None:
    assert all(issubclass(error, KeyStoreError) for error in (KeyStoreConflict, KeyStoreUnavailable, KeyDestroyed, MasterKeyError))
