"""Rotating the master key: every key afterwards is under the new one, and a kill at any step loses none."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from pathlib import Path

import pytest

from keyvault import base64url, key_file
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreConflict, KeyStoreUnavailable, MasterKeyError
from keyvault.key_store import KeyName
from keyvault.master_key import MasterKey
from keyvault.master_key_rotation import Rotated, next_file, rotate_file, rotate_to
from keyvault.store_file import FileKeyStore
from keyvault.store_use import in_use
from streams.scope import TenantScope
from tests import steps

NAMES = [KeyName(TenantScope(tenant), ordinal, Algorithm.ES256) for tenant in ("acme", "globex") for ordinal in (1, 2)]
DESTROYED = KeyName(TenantScope("acme"), 3, Algorithm.ES256)


async def make(home: Path) -> dict[str, str]:
    """A store with keys in it: the kid of each."""
    store = FileKeyStore.open(home / "keys", master_key_file=home / "master.key")
    kids = {str(name): (await store.create(name)).kid for name in NAMES}
    await store.create(DESTROYED)
    await store.destroy(DESTROYED)
    await store.close()
    return kids


async def check(home: Path, kids: dict[str, str], text: str | None = None) -> None:
    """Every key is there and signs; one more can be made."""
    store = FileKeyStore.open(home / "keys", master_key_file=home / "master.key", master_key_text=text)
    for name in NAMES:
        assert (await store.public_key(name)).kid == kids[str(name)]
        assert await store.sign(name, [b"message"])
    await store.create(KeyName(TenantScope("acme"), 4, Algorithm.ES256))
    await store.close()


def files(home: Path, *, destroyed: bool = False) -> list[Path]:
    names = [*NAMES, DESTROYED] if destroyed else NAMES
    return [home / "keys" / name.scope.tenant / f"{name.ordinal}-{name.algorithm}.key" for name in names]


def everything(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file())


def opened(home: Path, master: MasterKey) -> list[bool]:
    return [key_file.opens(master, path.read_bytes()) for path in files(home)]


async def test_every_key_is_then_under_the_new_master_key(tmp_path: Path) -> None:
    kids = await make(tmp_path)
    old = MasterKey.from_file(tmp_path / "master.key")
    told: list[tuple[int, int]] = []
    rotated = rotate_file(tmp_path / "keys", tmp_path / "master.key", lambda done, total: told.append((done, total)))
    new = MasterKey.from_file(tmp_path / "master.key")
    assert rotated == Rotated(4, new.id, tmp_path / f"master.key.{old.id}")
    assert told == [(done, 5) for done in range(1, 6)]
    assert opened(tmp_path, new) == [True] * 4
    assert opened(tmp_path, old) == [False] * 4
    masters = [tmp_path / "master.key", tmp_path / f"master.key.{old.id}"]
    assert everything(tmp_path) == sorted([*masters, tmp_path / "keys" / "master-key.check", *files(tmp_path, destroyed=True)])
    assert {path.stat().st_mode & 0o777 for path in everything(tmp_path)} == {0o600}
    await check(tmp_path, kids)


async def test_the_old_master_key_is_kept_for_older_backups(tmp_path: Path) -> None:
    kids = await make(tmp_path)
    shutil.copytree(tmp_path / "keys", tmp_path / "backup" / "keys")
    kept = rotate_file(tmp_path / "keys", tmp_path / "master.key").kept
    assert kept is not None
    with pytest.raises(MasterKeyError, match="another master key"):
        FileKeyStore.open(tmp_path / "backup" / "keys", master_key_file=tmp_path / "master.key")
    shutil.copy(kept, tmp_path / "backup" / "master.key")
    await check(tmp_path / "backup", kids)


async def test_a_store_in_use_is_left_alone(tmp_path: Path) -> None:
    kids = await make(tmp_path)
    before = [path.read_bytes() for path in files(tmp_path)]
    with in_use(tmp_path / "keys"), pytest.raises(KeyStoreUnavailable, match="is in use; stop the service"):
        rotate_file(tmp_path / "keys", tmp_path / "master.key")
    assert [path.read_bytes() for path in files(tmp_path)] == before
    assert not next_file(tmp_path / "master.key").exists()
    with in_use(tmp_path / "keys", alone=True), pytest.raises(KeyStoreUnavailable, match="is being rotated"):
        FileKeyStore.open(tmp_path / "keys", master_key_file=tmp_path / "master.key")
    await check(tmp_path, kids)


async def test_a_wrong_master_key_rotates_nothing(tmp_path: Path) -> None:
    await make(tmp_path)
    before = [path.read_bytes() for path in files(tmp_path)]
    (tmp_path / "master.key").write_text(base64url.encode(secrets.token_bytes(32)))
    with pytest.raises(MasterKeyError, match="another master key"):
        rotate_file(tmp_path / "keys", tmp_path / "master.key")
    with pytest.raises(MasterKeyError, match="another master key"):
        rotate_to(tmp_path / "keys", MasterKey(bytes(32)), MasterKey(bytes([1]) * 32))
    assert [path.read_bytes() for path in files(tmp_path)] == before
    assert not next_file(tmp_path / "master.key").exists()


async def test_an_altered_key_is_named_before_anything_is_changed(tmp_path: Path) -> None:
    kids = await make(tmp_path)
    altered = files(tmp_path)[-1]
    good = altered.read_bytes()
    altered.write_bytes(good[:-1])
    before = {path: path.read_bytes() for path in everything(tmp_path)}
    with pytest.raises(KeyStoreConflict, match=f"{altered.name} was altered"):
        rotate_to(tmp_path / "keys", MasterKey.from_file(tmp_path / "master.key"), MasterKey(bytes(32)))
    assert {path: path.read_bytes() for path in before} == before
    altered.write_bytes(good)
    await check(tmp_path, kids)


async def test_a_master_key_that_is_kept_elsewhere_is_rotated_to_another(tmp_path: Path) -> None:
    kids = await make(tmp_path)
    text = base64url.encode(bytes([7]) * 32)
    rotated = rotate_to(tmp_path / "keys", MasterKey.from_file(tmp_path / "master.key"), MasterKey.from_text(text))
    assert (rotated.keys, rotated.kept) == (4, None)
    await check(tmp_path, kids, text)
    with pytest.raises(MasterKeyError, match="another master key"):
        await check(tmp_path, kids)


@pytest.mark.parametrize("drive", ["kill_rotations_of_a_file", "kill_rotations_to_another"])
def test_a_kill_at_any_step_loses_no_key(tmp_path: Path, drive: str) -> None:
    count = int(steps.alone(f"tests.keyvault.test_master_key_rotation:{drive}", tmp_path))
    assert count > len(NAMES) * 2, "it was killed before and after each key"


def kill_rotations_of_a_file(folder: str) -> None:
    """After a kill, the next start finishes the rotation by itself."""
    home, pristine = Path(folder) / "home", Path(folder) / "pristine"
    kids = asyncio.run(make(pristine))
    old = MasterKey.from_file(pristine / "master.key")

    def before() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(pristine, home)

    def after(_: int) -> None:
        begun = next_file(home / "master.key").exists()
        ended = old.id != MasterKey.from_file(home / "master.key").id
        masters = [MasterKey.from_file(path) for path in home.glob("master.key*")]
        assert all(any(found) for found in zip(*(opened(home, master) for master in masters), strict=True))
        asyncio.run(check(home, kids))
        new = MasterKey.from_file(home / "master.key")
        assert (new.id != old.id) == (begun or ended), "what was begun is finished, what was not is as it was"
        assert opened(home, new) == [True] * len(NAMES)
        assert not next_file(home / "master.key").exists()

    print(steps.at_each(lambda: rotate_file(home / "keys", home / "master.key"), before, after))


def kill_rotations_to_another(folder: str) -> None:
    """After a kill, no start goes on with half of the keys; the same command finishes it."""
    home, pristine = Path(folder) / "home", Path(folder) / "pristine"
    kids = asyncio.run(make(pristine))
    old, text = MasterKey.from_file(pristine / "master.key"), base64url.encode(bytes([7]) * 32)
    new = MasterKey.from_text(text)

    def before() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(pristine, home)

    def after(_: int) -> None:
        if "next" in json.loads((home / "keys" / "master-key.check").read_bytes()):
            for given in (None, text):
                with pytest.raises(MasterKeyError, match=r"interrupted|another master key"):
                    asyncio.run(check(home, kids, given))
        elif all(opened(home, old)):
            asyncio.run(check(home, kids))
        else:
            assert all(opened(home, new)), "keys under both, and nothing says so"
        rotate_to(home / "keys", old, new)
        assert opened(home, new) == [True] * len(NAMES)
        asyncio.run(check(home, kids, text))

    print(steps.at_each(lambda: rotate_to(home / "keys", old, new), before, after))
