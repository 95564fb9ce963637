"""The directory of encrypted files keeps the contract of `KeyStore`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keyvault.key_store import KeyStore
from keyvault.store_file import FileKeyStore
from tests.contract.key_store import Creators, KeyStoreContract, Open, create_keys


def open_store(folder: Path) -> FileKeyStore:
    return FileKeyStore.open(folder / "keys", master_key_file=folder / "master.key")


class TestFileKeyStore(KeyStoreContract):
    @pytest.fixture
    async def opening(self, tmp_path: Path) -> AsyncIterator[Open]:
        stores: list[KeyStore] = []

        async def opened() -> KeyStore:
            stores.append(open_store(tmp_path))
            return stores[-1]

        yield opened
        for store in stores:
            await store.close()

    @pytest.fixture
    def creators(self, tmp_path: Path) -> Creators:
        return Creators(__name__, (str(tmp_path),))


if __name__ == "__main__":
    asyncio.run(create_keys(open_store(Path(sys.argv[1])), int(sys.argv[2])))
