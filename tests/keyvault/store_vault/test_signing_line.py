"""Signing on the event loop: it signs when all is well, and only then, and what it does not sign is signed all the same."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound, KeyStoreDown, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.store_vault import VaultConnection, VaultKeyStore
from keyvault.store_vault.transit import Transit
from tests.keyvault.store_vault.mounted import Mounted, named
from tests.servers import certificates

Asked = list[int]


@pytest.fixture
def through_hvac(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """How many messages hvac was asked to have signed, request by request."""
    asked: Asked = []
    sign = Transit.sign

    def noting(self: Transit, name: KeyName, payloads: Sequence[bytes]) -> Any:
        asked.append(len(payloads))
        return sign(self, name, payloads)

    monkeypatch.setattr(Transit, "sign", noting)
    return asked


async def signs(store: VaultKeyStore, name: KeyName, *messages: bytes) -> None:
    """Has them signed, and verifies what comes."""
    public = (await store.public_key(name)).public_key()
    for message, signature in zip(messages, await store.sign(name, messages), strict=True):
        assert algorithms.verify(name.algorithm, public, message, signature)


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_hvac_is_not_asked_when_all_is_well(store: VaultKeyStore, through_hvac: Asked, algorithm: Algorithm) -> None:
    name = named(algorithm=algorithm)
    await store.create(name)
    await signs(store, name, *(b"message %d" % number for number in range(20)))
    assert through_hvac == []


async def test_the_first_request_of_all_finds_the_mount_through_hvac(mounted: Mounted, store: VaultKeyStore, through_hvac: Asked) -> None:
    await store.create(named())
    later = VaultKeyStore(mounted.connection())
    for _ in range(3):
        assert len(await later.sign(named(), [b"message"])) == 1
    assert through_hvac == [1]
    await later.close()


async def test_a_token_that_is_dead_is_replaced(mounted: Mounted, store: VaultKeyStore, through_hvac: Asked) -> None:
    await store.create(named())
    await signs(store, named(), b"before")
    held = store._asker.login.held
    assert held is not None
    mounted.bao.ask("POST", "auth/token/revoke", {"token": held.client.token})
    await signs(store, named(), b"after")
    assert through_hvac == []  # reading the public key has logged in again, and the line has taken the new token


async def test_what_is_not_signed_is_said_by_hvac(store: VaultKeyStore, through_hvac: Asked) -> None:
    await store.create(named())
    with pytest.raises(KeyNotFound):
        await store.sign(named(2), [b"message"])
    await store.destroy(named())
    with pytest.raises(KeyNotFound):
        await store.sign(named(), [b"message"])
    assert through_hvac == [1, 1]


async def test_a_vault_that_does_not_answer_is_not_asked_twice(mounted: Mounted, store: VaultKeyStore, through_hvac: Asked) -> None:
    await store.create(named())
    asked: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()
        writer.close()

    async with _listening(silent) as port:
        store._line._connection = VaultConnection.from_url(f"vault://127.0.0.1:{port}/{mounted.mount}?tls=false&timeout=1", token="t")
        with pytest.raises(KeyStoreDown, match="no answer within 1 seconds"):
            await store.sign(named(), [b"message"])
        await store._line.close()
    assert (len(asked), through_hvac) == (1, [])


async def test_after_closing_nothing_is_signed(store: VaultKeyStore) -> None:
    await store.create(named())
    await signs(store, named(), b"message")
    await store.close()
    with pytest.raises(KeyStoreUnavailable, match="is closed"):
        await store.sign(named(), [b"message"])


async def test_a_namespaces_keys_sign(mounted: Mounted, through_hvac: Asked) -> None:
    namespace = f"team-{mounted.mount}"
    mounted.bao.ask("POST", f"sys/namespaces/{namespace}", {})
    mounted.bao.ask("POST", f"{namespace}/sys/mounts/keys", {"type": "transit"})
    store = VaultKeyStore.open(f"vault://127.0.0.1:{mounted.bao.port}/keys?namespace={namespace}", token=mounted.bao.root_token)
    await store.create(named())
    await signs(store, named(), b"message")
    assert through_hvac == []
    await store.close()


async def test_over_tls_its_certificate_is_checked(mounted: Mounted, through_hvac: Asked, tmp_path: Path) -> None:
    ca = certificates.write(tmp_path)
    async with _tls(tmp_path, mounted.bao.port) as port:
        url = f"vault://localhost:{port}/{mounted.mount}?tls=true&cafile={ca}"
        store = VaultKeyStore(VaultConnection.from_url(url, token=mounted.token()))
        await store.create(named())
        await signs(store, named(), b"message")
        assert through_hvac == []

        other = tmp_path / "other"
        other.mkdir()
        store._line._connection = VaultConnection.from_url(url.replace(str(ca), str(certificates.write(other))), token="t")
        await store._line.close()
        store._line._session = None
        await signs(store, named(), b"message")
        assert through_hvac == [1], "the line has trusted a certificate of another authority"
        await store.close()


async def test_a_redirect_takes_no_token_along(mounted: Mounted, store: VaultKeyStore, through_hvac: Asked) -> None:
    """A standby answers 307; where to, is for hvac's client to judge."""
    await store.create(named())
    seen: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with _listening(elsewhere) as target:
        answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{target}/v1/x\r\nContent-Length: 0\r\n\r\n".encode()

        async def standby(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with _listening(standby) as port:
            store._line._connection = VaultConnection.from_url(f"vault://127.0.0.1:{port}/{mounted.mount}?tls=false", token="t")
            await signs(store, named(), b"message")
            await store._line.close()
    assert seen == []
    assert through_hvac == [1]


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def _tls(directory: Path, target: int) -> AsyncIterator[int]:
    """A port that speaks TLS, before another one that does not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "node.pem", directory / "node-key.pem")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, back), pump(to, writer), return_exceptions=True)

    async with _listening(serve, context) as port:
        yield port
