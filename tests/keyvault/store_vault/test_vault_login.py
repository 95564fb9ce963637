"""Tokens: got, renewed, revoked and got again; and never shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import NoReturn

import pytest
from prometheus_client import REGISTRY
from rich.console import Console
from rich.traceback import Traceback
from structlog.testing import capture_logs

from keyvault.errors import KeyStoreUnavailable
from keyvault.store_vault import VaultConnection, VaultKeyStore
from tests.keyvault.store_vault.mounted import Mounted, named
from tests.servers.openbao import OpenBao


@asynccontextmanager
async def opened(connection: VaultConnection) -> AsyncIterator[VaultKeyStore]:
    store = VaultKeyStore(connection)
    try:
        yield store
    finally:
        await store.close()


def requests(operation: str) -> int:
    """How many of these this process has made so far."""
    return int(REGISTRY.get_sample_value("tenantry_vault_request_seconds_count", {"operation": operation}) or 0)


def revoke(mounted: Mounted, store: VaultKeyStore) -> None:
    """Revokes the token that the store has now."""
    lease = store._asker.login.held
    assert lease is not None
    mounted.bao.ask("POST", "auth/token/revoke", {"token": lease.client.token})


async def until(operation: str, count: int) -> None:
    """Returns when there have been so many requests. A thread makes them, which tells nobody."""
    async with asyncio.timeout(60):
        while requests(operation) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_one_login_serves_everybody(mounted: Mounted) -> None:
    before = requests("login")
    async with opened(mounted.connection()) as store:
        await asyncio.gather(*(store.create(named(ordinal)) for ordinal in range(1, 21)))
    assert requests("login") == before + 1


async def test_after_a_revocation_the_role_logs_in_again_once(mounted: Mounted) -> None:
    async with opened(mounted.connection()) as store:
        await store.create(named())
        before = requests("login")
        revoke(mounted, store)
        signing = [store.sign(named(), [b"%d" % n]) for n in range(50)]
        reading = [store.public_key(named()) for _ in range(20)]
        await asyncio.gather(*signing, *reading)
    assert requests("login") == before + 1


async def test_after_a_revocation_before_the_first_call_the_role_logs_in_again(mounted: Mounted) -> None:
    async with opened(mounted.connection()) as store:
        await asyncio.to_thread(store._asker.login.lease)
        revoke(mounted, store)
        await store.create(named())


async def test_a_role_without_any_path_about_tokens_logs_in_again_when_its_token_has_ended(mounted: Mounted) -> None:
    mounted.write_policy(mounted.mount, "vault-policy.hcl", without="auth/token")
    mounted.bao.ask("POST", mounted.role, {"token_policies": [mounted.mount], "token_no_default_policy": True, "token_ttl": "2s"})
    before = requests("login")
    async with opened(mounted.connection()) as store:
        await store.create(named())
        await until("login", before + 3)
        await store.sign(named(), [b"message"])


async def test_a_refused_path_is_no_reason_to_log_in_again(mounted: Mounted) -> None:
    async with opened(mounted.connection()) as store:
        await store.create(named())
        before = requests("login")
        mounted.write_policy(mounted.mount, "vault-policy-tenant.hcl", tenant="globex")
        for _ in range(3):
            with pytest.raises(KeyStoreUnavailable, match=f"does not allow '{mounted.mount}/sign/acme.1.ES256'"):
                await store.sign(named(), [b"message"])
    assert requests("login") == before


async def test_a_token_lives_on_while_nobody_asks_anything(openbao: OpenBao) -> None:
    mounted = Mounted(openbao)
    token = mounted.token(ttl="2s", renewable=True)
    renewed = requests("renew")
    async with opened(VaultConnection.from_url(mounted.url, token=token)) as store:
        await until("renew", renewed + 3)  # each after more than a second: longer than it would have lived
        await store.create(named())


async def sign_for_ever(store: VaultKeyStore) -> NoReturn:
    while True:
        await store.sign(named(), [b"message"])


async def test_a_token_that_cant_be_renewed_is_used_to_its_end(mounted: Mounted) -> None:
    token = mounted.token(ttl="3s", renewable=False)
    with capture_logs() as logs:
        async with opened(VaultConnection.from_url(mounted.url, token=token)) as store, asyncio.timeout(60):
            await store.create(named())
            with pytest.raises(KeyStoreUnavailable, match="give the service a new token"):
                await sign_for_ever(store)
    assert [line["event"] for line in logs] == ["vault_token_ends"]


async def test_a_role_logs_in_again_before_its_token_reaches_its_longest_life(openbao: OpenBao) -> None:
    mounted = Mounted(openbao, token_ttl="2s", token_max_ttl="3s")
    async with opened(mounted.connection()) as store:
        await store.create(named())
        await until("login", requests("login") + 2)  # while nobody asks for anything
        await store.sign(named(), [b"message"])


async def test_a_refused_role_is_told_and_not_tried_all_the_time(mounted: Mounted) -> None:
    connection = VaultConnection.from_url(mounted.url, role_id=mounted.role_id, secret_id=mounted.secret())
    async with opened(connection) as store:
        for _ in range(3):
            with pytest.raises(KeyStoreUnavailable, match="refuses the role id or the secret id; give the service a new secret id"):
                await store.create(named())
        assert store._asker.login._refusals == 1


async def test_an_approle_that_is_not_enabled_is_told(mounted: Mounted) -> None:
    url = mounted.url.replace(mounted.approle, "nowhere")
    async with opened(VaultConnection.from_url(url, role_id=mounted.role_id, secret_id=mounted.secret_id)) as store:
        with pytest.raises(KeyStoreUnavailable, match="bao auth enable -path=nowhere approle"):
            await store.create(named())


async def test_a_dead_token_is_told(mounted: Mounted) -> None:
    token = mounted.token()
    async with opened(VaultConnection.from_url(mounted.url, token=token)) as store:
        await store.create(named())
        mounted.bao.ask("POST", "auth/token/revoke", {"token": token})
        with pytest.raises(KeyStoreUnavailable, match="it has ended or was revoked; give the service a new token"):
            await store.sign(named(), [b"message"])


async def test_no_secret_is_in_an_error_its_traceback_or_the_variables_of_it(mounted: Mounted, capfd: pytest.CaptureFixture[str]) -> None:
    token, dead = mounted.token(), mounted.token()
    mounted.bao.ask("POST", "auth/token/revoke", {"token": dead})
    nobody = mounted.url.replace(f":{mounted.bao.port}/", ":9/")
    cases = [
        VaultConnection.from_url(nobody, token=token),
        VaultConnection.from_url(nobody, role_id=mounted.role_id, secret_id=mounted.secret_id),
        VaultConnection.from_url(mounted.url, token=dead),
        VaultConnection.from_url(mounted.url.replace(mounted.mount, "nowhere", 1), token=token),
        VaultConnection.from_url(mounted.url.replace("tls=false", "tls=true"), token=token),
        VaultConnection.from_url(mounted.url, role_id=mounted.secret(), secret_id=mounted.secret_id),
    ]
    for connection in cases:
        shown = await shown_error(connection)
        assert "KeyStoreUnavailable" in shown
        for secret in (token, dead, mounted.secret_id):
            assert secret not in shown
            assert secret not in "".join(capfd.readouterr())


async def shown_error(connection: VaultConnection) -> str:
    """What a talkative logger makes of the error."""
    text = StringIO()
    async with opened(connection) as store:
        try:
            await store.create(named())
        except KeyStoreUnavailable:
            Console(file=text, width=500).print(Traceback(show_locals=True, locals_max_length=1000, locals_max_string=10_000))
    return text.getvalue()
