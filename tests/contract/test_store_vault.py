"""Vault's transit engine, here OpenBao's, keeps the contract of `KeyStore`, with the policy of the documents."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest

from keyvault.key_store import KeyStore
from keyvault.store_vault import VaultKeyStore
from tests.contract.key_store import Creators, KeyStoreContract, Open, create_keys
from tests.keyvault.store_vault.mounted import Mounted
from tests.servers.openbao import OpenBao


class TestVaultKeyStore(KeyStoreContract):
    @pytest.fixture
    def mounted(self, openbao: OpenBao) -> Mounted:
        return Mounted(openbao)

    @pytest.fixture
    async def opening(self, mounted: Mounted) -> AsyncIterator[Open]:
        stores: list[KeyStore] = []

        async def opened() -> KeyStore:
            stores.append(VaultKeyStore(mounted.connection()))
            return stores[-1]

        yield opened
        for store in stores:
            await store.close()

    @pytest.fixture
    def creators(self, mounted: Mounted) -> Creators:
        return Creators(__name__, (mounted.url, mounted.role_id), {"SECRET_ID": mounted.secret_id})


if __name__ == "__main__":
    _, url, role_id, count = sys.argv
    asyncio.run(create_keys(VaultKeyStore.open(url, role_id=role_id, secret_id=os.environ["SECRET_ID"]), int(count)))
