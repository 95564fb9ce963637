"""Where the token goes, and where it does not."""

from __future__ import annotations

import pytest
import requests

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.store_vault import VaultConnection, VaultKeyStore
from keyvault.store_vault.client import _Session
from streams.scope import TenantScope

STANDBY = "https://standby:8200/v1/transit/sign/k"


@pytest.mark.parametrize(
    ("status", "target", "goes"),
    [
        (307, "https://active:8200/v1/transit/sign/k", True),
        (308, "https://active:8200/v1/transit/sign/k", True),
        (307, "http://active:8200/v1/transit/sign/k", False),
        (301, "https://active:8200/v1/transit/sign/k", False),
        (302, "https://active:8200/v1/transit/sign/k", False),
    ],
)
def test_a_standby_may_send_us_to_the_active_node_but_not_out_of_tls(status: int, target: str, goes: bool) -> None:
    answer = requests.Response()
    answer.status_code = status
    answer.url = STANDBY
    answer.headers["Location"] = target
    session = _Session(VaultConnection.from_url("vault://standby/transit", token="t"))
    assert session.get_redirect_target(answer) == (target if goes else None)


def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere:1")
    session = _Session(VaultConnection.from_url("vault://standby/transit", token="t"))
    settings = session.merge_environment_settings(STANDBY, {}, None, None, None)
    assert not settings["proxies"]


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_who_has_a_token_signed_is_not_told_where_vault_is() -> None:
    store = VaultKeyStore.open("vault://127.0.0.1:1/transit", token="t")
    with pytest.raises(KeyStoreUnavailable, match="no connection") as away:
        await store.sign(KeyName(TenantScope("acme"), 1, Algorithm.EDDSA), [b"x"])
    await store.close()
    with pytest.raises(KeyStoreUnavailable, match="closed") as closed:
        await store.sign(KeyName(TenantScope("acme"), 1, Algorithm.EDDSA), [b"x"])
    assert "127.0.0.1" not in f"{away.value} {closed.value}"
