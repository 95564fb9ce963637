"""A transit engine of a test's own in an OpenBao, with a role that may do what docs/vault-policy.hcl says, and no more."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any, Final

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from keyvault.store_vault import VaultConnection
from streams.scope import TenantScope
from tests.servers.openbao import OpenBao

DOCS: Final = Path(__file__).parents[3] / "docs"
ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")


def named(ordinal: int = 1, algorithm: Algorithm = Algorithm.ES256, scope: TenantScope = ACME) -> KeyName:
    return KeyName(scope, ordinal, algorithm)


class Mounted:
    """A mount, a policy and an AppRole, all called by the same random name."""

    def __init__(self, bao: OpenBao, *, token_ttl: str = "1h", token_max_ttl: str = "0") -> None:
        self.bao = bao
        self.mount = bao.mount()
        self.write_policy(self.mount, "vault-policy.hcl")
        self.approle = f"approle-{self.mount}"
        bao.ask("POST", f"sys/auth/{self.approle}", {"type": "approle"})
        self.role = f"auth/{self.approle}/role/tenantry"
        bao.ask("POST", self.role, {"token_policies": [self.mount], "token_ttl": token_ttl, "token_max_ttl": token_max_ttl})
        self.role_id: str = bao.ask("GET", f"{self.role}/role-id")["data"]["role_id"]
        self.secret_id: str = bao.ask("POST", f"{self.role}/secret-id")["data"]["secret_id"]

    def write_policy(self, name: str, file: str, *, tenant: str = "", without: str | None = None) -> None:
        """Writes a policy of the documents, as they say: with this mount, with the tenant, `without` the paths that begin so."""
        text = (DOCS / file).read_text().replace('"tenantry/', f'"{self.mount}/').replace("TENANT.", f"{tenant}.")
        if without is not None:
            text = re.sub(rf'path "{without}.*?\n}}', "", text, flags=re.DOTALL)
        self.bao.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def token(self, *policies: str, **settings: Any) -> str:
        """A token with these policies, by default the role's."""
        made = self.bao.ask("POST", "auth/token/create", {"policies": policies or (self.mount,), "ttl": "1h", **settings})
        token: str = made["auth"]["client_token"]
        return token

    @property
    def url(self) -> str:
        """Of the key store."""
        return f"vault://127.0.0.1:{self.bao.port}/{self.mount}?tls=false&approle={self.approle}"

    def connection(self, options: str = "") -> VaultConnection:
        """As the role."""
        return VaultConnection.from_url(self.url + options, role_id=self.role_id, secret_id=self.secret_id)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
        """Asks the engine, as root unless a token is given."""
        return self.bao.ask(method, f"{self.mount}/{path}", body, token)

    @staticmethod
    def secret() -> str:
        """Something to guess in vain."""
        return secrets.token_hex(16)
