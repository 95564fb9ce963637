"""`kill -9` at each step of the file store's adoption of a key: it has it whole, or not at all, and takes it the next time."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound
from keyvault.store_file import FileKeyStore
from tests.contract.key_store import imported
from tests.steps import alone, at_each

PRIVATE = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"a key of the old IDP").digest(), "big") >> 1, ec.SECP256R1())


def open_store(folder: Path) -> FileKeyStore:
    return FileKeyStore.open(folder / "keys", master_key_file=folder / "master.key")


async def adopt(folder: Path) -> bytes:
    store = open_store(folder)
    await store.adopt(imported(PRIVATE), PRIVATE)
    [signature] = await store.sign(imported(PRIVATE), [b"message"])
    await store.close()
    return signature


async def is_whole_or_not_there(folder: Path) -> None:
    store = open_store(folder)
    try:
        await store.public_key(imported(PRIVATE))
    except KeyNotFound:
        assert list((folder / "keys").glob("*/*.key")) == []
    finally:
        await store.close()
    assert algorithms.verify(Algorithm.ES256, PRIVATE.public_key(), b"message", await adopt(folder))
    assert len(list((folder / "keys").glob("*/*.key"))) == 1


def at_each_step(folder: str) -> None:
    empty, work = Path(folder, "empty"), Path(folder, "work")
    asyncio.run(open_store(empty).close())

    def anew() -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(empty, work)

    print(at_each(lambda: asyncio.run(adopt(work)), anew, lambda _: asyncio.run(is_whole_or_not_there(work))))


def test_it_can_be_killed_at_any_step(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert int(alone(f"{__name__}:at_each_step", tmp_path)) >= 4
