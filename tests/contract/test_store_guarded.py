"""A guarded key store keeps the contract of `KeyStore`, as what it guards does: here the directory of encrypted files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keyvault.key_store import KeyStore
from keyvault.store_guarded import GuardedKeyStore
from tests.contract import test_store_file as files
from tests.contract.key_store import Creators, KeyStoreContract, Open


class TestGuardedKeyStore(KeyStoreContract):
    @pytest.fixture
    async def opening(self, tmp_path: Path) -> AsyncIterator[Open]:
        stores: list[KeyStore] = []

        async def opened() -> KeyStore:
            stores.append(GuardedKeyStore(files.open_store(tmp_path)))
            return stores[-1]

        yield opened
        for store in stores:
            await store.close()

    @pytest.fixture
    def creators(self, tmp_path: Path) -> Creators:
        return Creators(files.__name__, (str(tmp_path),))
