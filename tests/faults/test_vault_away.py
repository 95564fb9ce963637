"""Vault sealed, stopped, hanging or hidden behind a proxy: clear errors in bounded time, and nobody has to do anything afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreUnavailable
from keyvault.store_vault import VaultConnection, VaultKeyStore
from tests.keyvault.store_vault.mounted import Mounted, named
from tests.servers import certificates
from tests.servers.fixtures import made
from tests.servers.openbao import OpenBao
from tests.servers.process import free_port

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "localhost"])
DOOMED = named(3)
"""To be destroyed: a hanging Vault does it as soon as it goes on, though the caller has been told that it was unavailable."""
PATIENCE = 60.0
"""Seconds, in all; a bound, and no measure."""


@pytest.fixture
def bao() -> Iterator[OpenBao]:
    """A server of the test's own."""
    with made(OpenBao, "openbao") as server:
        yield server


@pytest.fixture
async def store(bao: OpenBao) -> AsyncIterator[VaultKeyStore]:
    """With two keys; its calls take three seconds at most."""
    store = VaultKeyStore(Mounted(bao).connection("&timeout=3"))
    await store.create(named())
    await store.create(DOOMED)
    yield store
    await store.close()


async def all_calls_fail(store: VaultKeyStore, why: str) -> None:
    async with asyncio.timeout(PATIENCE):
        calls = [
            store.create(named(2)),
            store.public_key(named()),
            store.destroy(DOOMED),
            *(store.sign(named(), [b"m"]) for _ in range(40)),
        ]
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(answer, KeyStoreUnavailable), answer
            assert why in str(answer)


async def it_signs(store: VaultKeyStore) -> None:
    public = await store.public_key(named())
    [signature] = await store.sign(named(), [b"message"])
    assert algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)


async def test_sealed(bao: OpenBao, store: VaultKeyStore) -> None:
    bao.seal()
    await all_calls_fail(store, "it is sealed; unseal it")
    bao.unseal()
    await it_signs(store)


async def test_sealed_while_it_signs(bao: OpenBao, store: VaultKeyStore) -> None:
    outcomes: Counter[str] = Counter()
    over, signed, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sign() -> None:
        while not over.is_set():
            try:
                await store.sign(named(), [b"message"])
            except KeyStoreUnavailable:
                refused.set()
                outcomes["refused"] += 1
            else:
                signed.set()
                outcomes["signed"] += 1

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as callers:
        for _ in range(16):
            callers.create_task(sign())
        await signed.wait()
        await asyncio.to_thread(bao.seal)
        await refused.wait()
        await asyncio.to_thread(bao.unseal)
        signed.clear()
        await signed.wait()
        over.set()
    assert outcomes["signed"] > 0
    await it_signs(store)


async def test_stopped_and_started_again(bao: OpenBao, store: VaultKeyStore) -> None:
    bao.kill()
    await all_calls_fail(store, "no connection")
    bao.start()
    await it_signs(store)


async def test_hanging(bao: OpenBao, store: VaultKeyStore) -> None:
    bao.pause()
    await all_calls_fail(store, "no answer within 3 seconds")
    bao.go_on()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await it_signs(store)
            except KeyStoreUnavailable:  # what it was asked meanwhile, it answers first
                continue
            break


@pytest.mark.parametrize("with_token", [True, False])
async def test_a_store_opens_before_vault_does(bao: OpenBao, with_token: bool) -> None:
    mounted = Mounted(bao)
    connection = VaultConnection.from_url(mounted.url, token=mounted.token()) if with_token else mounted.connection()
    bao.kill()
    store = VaultKeyStore(connection)
    await all_calls_fail(store, "no connection")
    bao.start()
    await store.create(named())
    await it_signs(store)
    await store.close()


async def test_not_initialised() -> None:
    bao = made(OpenBao, "openbao")
    try:
        bao.launch()
        bao.wait_until_ready()
        store = VaultKeyStore.open(f"vault://127.0.0.1:{bao.port}/transit", token="token")
        await all_calls_fail(store, "seal")
        await store.close()
    finally:
        bao.close()


async def test_closing_ends_who_waits(bao: OpenBao, store: VaultKeyStore) -> None:
    bao.pause()
    waiting = [asyncio.create_task(store.sign(named(), [b"m"])) for _ in range(5)]
    waiting_for_a_thread = [asyncio.create_task(store.public_key(named())) for _ in range(40)]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await store.close()
        for answer in await asyncio.gather(*waiting, *waiting_for_a_thread, return_exceptions=True):
            assert isinstance(answer, KeyStoreUnavailable)
    with pytest.raises(KeyStoreUnavailable, match="closed"):
        await store.public_key(named())
    bao.go_on()


async def test_tls(bao: OpenBao) -> None:
    ca = certificates.write(bao.directory)
    port = free_port()
    listener = f"""
    listener "tcp" {{
      address = "127.0.0.1:{port}"
      tls_cert_file = "{bao.directory}/node.pem"
      tls_key_file = "{bao.directory}/node-key.pem"
    }}"""
    bao.stop()
    with bao._configuration.open("a") as configuration:
        configuration.write(listener)
    bao.start()
    mounted = Mounted(bao)

    def opened(query: str, to: int = port) -> VaultKeyStore:
        return VaultKeyStore.open(f"vault://127.0.0.1:{to}/{mounted.mount}?{query}", token=mounted.token())

    trusted = opened(f"tls=true&cafile={ca}")
    await trusted.create(named())
    await it_signs(trusted)
    await trusted.close()
    for store, why in (
        (opened("tls=true"), "name its authority in cafile="),
        (opened(f"tls=true&cafile={bao.directory}/nothing.pem"), "nothing.pem can't be read"),
        (opened("tls=false"), "it speaks TLS; write tls=true"),
        (opened("tls=true", bao.port), "check .* that it speaks TLS"),
    ):
        with pytest.raises(KeyStoreUnavailable, match=why):
            await store.create(named())
        await store.close()


@contextmanager
def proxy(status: int, kind: str, body: bytes) -> Iterator[int]:
    """The port of something before Vault that answers everything itself."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", self.path)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the server's name for it

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", b"<h1>Not Found</h1>"),
        (403, "text/html", b"<h1>Forbidden</h1>"),
        (400, "text/plain", b"no"),
        (200, "text/html", b"<h1>Welcome</h1>"),
        (200, "application/json", b"{}"),
        (200, "application/json", b"[]"),
        (204, "text/plain", b""),
        (301, "text/html", b""),
        (302, "text/html", b""),
        (307, "text/html", b""),
        (404, "application/json", b'{"message":"no route"}'),
        (500, "application/json", b'{"errors":["internal error"]}'),
        (502, "text/html", b"<h1>Bad Gateway</h1>"),
        (429, "text/plain", b""),
    ],
)
async def test_what_a_proxy_says_is_never_taken_for_vaults_word(status: int, kind: str, body: bytes) -> None:
    with proxy(status, kind, body) as port:
        for secrets in ({"token": "token"}, {"role_id": "role", "secret_id": "secret"}):
            store = VaultKeyStore.open(f"vault://127.0.0.1:{port}/transit", **secrets)
            for call in (store.create(named()), store.public_key(named()), store.sign(named(), [b"m"]), store.destroy(named())):
                with pytest.raises(KeyStoreUnavailable, match="can't be used now"):
                    await call
            await store.close()
