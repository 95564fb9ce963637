"""Connections to Vault that are cut before it answers, as idle ones are by many a proxy."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from typing import Self

import pytest

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreUnavailable
from keyvault.store_vault import VaultConnection, VaultKeyStore
from tests.keyvault.store_vault.mounted import Mounted, named
from tests.servers.openbao import OpenBao

MUCH = 1 << 16


class Proxy:
    """Forwards connections, and cuts as many as it is told to when the next request comes."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.cuts = 0
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*self._serving)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to)
        back = asyncio.create_task(self._forward(there_reader, writer))
        while data := await reader.read(MUCH):
            if self.cuts:
                self.cuts -= 1
                break
            there_writer.write(data)
        for end in (writer, there_writer):
            end.close()
            await end.wait_closed()
        await back

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(MUCH):
            writer.write(data)


@pytest.fixture
def mounted(openbao: OpenBao) -> Mounted:
    return Mounted(openbao)


@pytest.fixture
async def proxy(mounted: Mounted) -> AsyncIterator[Proxy]:
    async with Proxy(mounted.bao.port) as proxy:
        yield proxy


@pytest.fixture
async def store(mounted: Mounted, proxy: Proxy) -> AsyncIterator[VaultKeyStore]:
    url = mounted.url.replace(f":{mounted.bao.port}/", f":{proxy.port}/")
    store = VaultKeyStore(VaultConnection.from_url(url, role_id=mounted.role_id, secret_id=mounted.secret_id))
    yield store
    await store.close()


async def test_a_connection_that_is_cut_costs_nothing(store: VaultKeyStore, proxy: Proxy) -> None:
    public = await store.create(named())
    for _ in range(10):
        proxy.cuts = 1
        [signature] = await store.sign(named(), [b"message"])
        assert proxy.cuts == 0
        assert algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)
        proxy.cuts = 1
        assert await store.create(named()) == public
        proxy.cuts = 1
        await store.public_key(named())


async def test_one_that_is_cut_again_is_told(store: VaultKeyStore, proxy: Proxy) -> None:
    await store.create(named())
    proxy.cuts = 2
    with pytest.raises(KeyStoreUnavailable, match="no connection"):
        await store.public_key(named())
    proxy.cuts = 3  # on its line first, and then twice through hvac
    with pytest.raises(KeyStoreUnavailable, match="no connection"):
        await store.sign(named(), [b"message"])
    await store.sign(named(), [b"message"])
    assert proxy.cuts == 0
