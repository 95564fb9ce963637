"""Where the token goes, and where it does not."""

from __future__ import annotations

import pytest
import requests

from keyvault.store_vault import VaultConnection
from keyvault.store_vault.client import _Session

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
