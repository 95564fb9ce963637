"""The URL of a Vault: what it says, and what it is refused for."""

from __future__ import annotations

import pytest

from keyvault.store_vault import VaultConnection

SECRET = "s.do-not-tell"


def test_a_url_says_everything_but_the_secrets() -> None:
    url = "vault://vault.example:8201/teams/keys?tls=true&cafile=/etc/ca.pem&namespace=emea/id/&approle=machines&timeout=5"
    connection = VaultConnection.from_url(url, role_id="tenantry", secret_id=SECRET)
    assert connection == VaultConnection(
        "vault.example", 8201, "teams/keys", True, "/etc/ca.pem", "emea/id", "machines", 5, role_id="tenantry", secret_id=SECRET
    )
    assert connection.address == "https://vault.example:8201"
    assert connection.authorities == "/etc/ca.pem"


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(VaultConnection.from_url("vault://h/transit", token=SECRET))
    assert SECRET not in repr(VaultConnection.from_url("vault://h/transit", role_id="role", secret_id=SECRET))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("vault://vault.example/transit", "https://vault.example:8200"),
        ("vault://10.0.0.7:8200/transit", "https://10.0.0.7:8200"),
        ("vault://vault.example/transit?tls=false", "http://vault.example:8200"),
        ("vault://127.0.0.1:8300/transit", "http://127.0.0.1:8300"),
        ("vault://localhost/transit", "http://localhost:8200"),
        ("vault://[::1]:8200/transit", "http://[::1]:8200"),
        ("vault://localhost/transit?tls=true", "https://localhost:8200"),
    ],
)
def test_a_token_never_crosses_a_network_in_the_clear_unless_the_url_says_so(url: str, address: str) -> None:
    assert VaultConnection.from_url(url, token="t").address == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://h:8200/transit", "a Vault URL is vault://"),
        ("vault://h:8200", "is no path in Vault"),
        ("vault://h:8200/", "is no path in Vault"),
        ("vault://h:8200/../sys", "is no path in Vault"),
        ("vault://h:8200/a//b", "is no path in Vault"),
        ("vault://h:8200/transit#x", "a Vault URL is vault://"),
        ("vault://h:99999/transit", "one host and a port"),
        ("vault://a:1,b:2/transit", "one host and a port"),
        ("vault:///transit", "one host and a port"),
        (f"vault://{SECRET}@h/transit", "nothing before the host"),
        (f"vault://h/transit?token={SECRET}", "never goes into the Vault URL"),
        (f"vault://h/transit?secret_id={SECRET}", "never goes into the Vault URL"),
        ("vault://h/transit?tsl=true", "unknown options tsl; known are approle, cafile, namespace, timeout, tls"),
        ("vault://h/transit?tls=yes", "`tls` in the Vault URL is `true` or `false`"),
        ("vault://h/transit?tls=true&tls=false", "there twice"),
        ("vault://h/transit?namespace=", "has no value"),
        ("vault://h/transit?namespace=a%0d%0ab", "namespace"),
        ("vault://h/transit?tls=false&cafile=/ca.pem", "belongs to tls=true"),
        ("vault://h/transit?timeout=0", "from 1 to 120"),
        ("vault://h/transit?timeout=soon", "number of seconds"),
    ],
)
def test_a_url_that_cant_be_used_is_refused_with_what_to_change(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        VaultConnection.from_url(url, token="t")
    assert problem in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"token": "t", "role_id": "r", "secret_id": "s"},
        {"role_id": "r"},
        {"secret_id": "s"},
        {"token": "t", "secret_id": "s"},
        {"token": ""},
        {"token": f"{SECRET}\n"},
        {"token": f"{SECRET} x"},
        {"role_id": "r", "secret_id": f"{SECRET}\u2028"},
    ],
)
def test_it_takes_a_token_or_a_role(secrets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Vault") as refused:
        VaultConnection.from_url("vault://h/transit", **secrets)
    assert SECRET not in str(refused.value)
