"""A transit engine of the test's own, and a store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from keyvault.store_vault import VaultKeyStore
from tests.keyvault.store_vault.mounted import Mounted
from tests.servers.openbao import OpenBao


@pytest.fixture
def mounted(openbao: OpenBao) -> Mounted:
    return Mounted(openbao)


@pytest.fixture
async def store(mounted: Mounted) -> AsyncIterator[VaultKeyStore]:
    store = VaultKeyStore(mounted.connection())
    yield store
    await store.close()
