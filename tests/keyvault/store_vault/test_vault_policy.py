"""What the documents' policies allow, asked of a real server: enough for Tenantry, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyDestroyed, KeyStoreUnavailable
from keyvault.store_vault import VaultConnection, VaultKeyStore
from tests.contract.key_store import imported
from tests.keyvault.store_vault.mounted import GLOBEX, Mounted, named
from tests.servers.openbao import OpenBao

KEY = "keys/acme.1.ES256"
SAFE = {"exportable": False, "allow_plaintext_backup": False}
IMPORT = {"type": "ecdsa-p256", "ciphertext": "x", "hash_function": "SHA256", "allow_rotation": True, **SAFE}


@dataclass
class Asker:
    """Asks with a token, and answers the status."""

    mounted: Mounted
    token: str

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        url = f"{self.mounted.bao.url}/v1/{self.mounted.mount}/{path}"
        return httpx.request(method, url, json=body, headers={"X-Vault-Token": self.token}).status_code


@pytest.fixture(scope="module")
def mounted(openbao: OpenBao) -> Mounted:
    """One for all of these tests, which destroy nothing that others need."""
    return Mounted(openbao)


@pytest.fixture(scope="module")
def tenantry(mounted: Mounted) -> Asker:
    return Asker(mounted, mounted.token(no_default_policy=True))


@pytest.fixture(scope="module")
def signer_of_acme(mounted: Mounted, tenantry: Asker) -> Asker:
    """Has the policy for one tenant's signer; acme and globex have a key each."""
    for tenant in ("acme", "globex"):
        assert tenantry("POST", f"keys/{tenant}.1.ES256", {"type": "ecdsa-p256", **SAFE}) == 200
    assert tenantry("POST", "keys/acme-2.1.ES256", {"type": "ecdsa-p256", **SAFE}) == 200
    mounted.write_policy(f"{mounted.mount}-acme", "vault-policy-tenant.hcl", tenant="acme")
    return Asker(mounted, mounted.token(f"{mounted.mount}-acme", no_default_policy=True))


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_it_is_enough_without_any_other_policy(mounted: Mounted, algorithm: Algorithm) -> None:
    store = VaultKeyStore.open(mounted.url, token=mounted.token(no_default_policy=True))
    name = named(9, algorithm)
    public = await store.create(name)
    [signature] = await store.sign(name, [b"message"])
    assert algorithms.verify(algorithm, public.public_key(), b"message", signature)
    await store.destroy(name)
    with pytest.raises(KeyDestroyed):
        await store.create(name)
    private = algorithms.generate(algorithm)
    its = imported(private, algorithm)
    await store.adopt(its, private)
    await store.sign(its, [b"message"])
    await store.destroy(its)
    await store.close()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "keys/new", {"type": "ecdsa-p256", "exportable": True}),
        ("POST", "keys/new", {"type": "ecdsa-p256", "allow_plaintext_backup": True}),
        ("POST", "keys/new", {"type": "ecdsa-p256", "derived": True}),
        ("POST", "keys/new", {"type": "aes256-gcm96"}),
        ("POST", f"{KEY}/config", {"exportable": True}),
        ("POST", f"{KEY}/config", {"allow_plaintext_backup": True}),
        ("POST", f"{KEY}/config", {"deletion_allowed": True}),
        ("POST", f"{KEY}/config", {"auto_rotate_period": "1h"}),
        ("POST", f"{KEY}/config", {"min_encryption_version": 1, "exportable": True}),
        ("DELETE", KEY, None),
        ("GET", "export/signing-key/acme.1.ES256", None),
        ("GET", "export/public-key/acme.1.ES256", None),
        ("GET", "backup/acme.1.ES256", None),
        ("GET", "byok-export/acme.1.ES256/acme.1.RS256", None),
        ("POST", "restore/acme.1.ES256", {"backup": "x"}),
        ("POST", "keys/acme.9.ES256/import", {**IMPORT, "exportable": True}),
        ("POST", "keys/acme.9.ES256/import", {**IMPORT, "allow_plaintext_backup": True}),
        ("POST", "keys/acme.9.ES256/import", {**IMPORT, "derived": True}),
        ("POST", "keys/acme.9.ES256/import", {**IMPORT, "type": "aes256-gcm96"}),
        ("POST", "keys/acme.9.ES256/import", {"type": "ecdsa-p256", "public_key": "x"}),
        ("POST", f"{KEY}/import_version", {"ciphertext": "x"}),
        ("GET", "keys?list=true", None),
        ("POST", "cache-config", {"size": 0}),
        ("POST", "hmac/acme.1.ES256", {"input": "YQ=="}),
    ],
)
def test_it_is_no_more_than_enough(tenantry: Asker, method: str, path: str, body: dict[str, Any] | None) -> None:
    assert tenantry("POST", KEY, {"type": "ecdsa-p256", **SAFE}) == 200
    assert tenantry(method, path, body) == 403


def test_a_token_of_one_tenant_reads_and_signs_with_its_own_keys(signer_of_acme: Asker) -> None:
    assert signer_of_acme("GET", KEY) == 200
    assert signer_of_acme("POST", "sign/acme.1.ES256", {"input": "YQ=="}) == 200


@pytest.mark.parametrize("theirs", ["globex.1.ES256", "acme-2.1.ES256"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "keys/{}", None),
        ("POST", "sign/{}", {"input": "YQ=="}),
        ("POST", "sign/{}/sha2-256", {"input": "YQ=="}),
        ("GET", "export/signing-key/{}", None),
        ("GET", "backup/{}", None),
        ("POST", "keys/{}/rotate", None),
        ("POST", "keys/{}/trim", {"min_available_version": 1}),
        ("POST", "keys/{}/config", {"exportable": True}),
    ],
)
def test_a_token_of_one_tenant_is_refused_another_tenants_keys(
    signer_of_acme: Asker, theirs: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert signer_of_acme(method, path.format(theirs), body) == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "keys/acme.2.ES256", {"type": "ecdsa-p256"}),
        ("POST", f"{KEY}/config", {"exportable": True}),
        ("POST", f"{KEY}/rotate", None),
        ("POST", f"{KEY}/trim", {"min_available_version": 1}),
        ("DELETE", KEY, None),
        ("GET", "export/signing-key/acme.1.ES256", None),
        ("GET", "backup/acme.1.ES256", None),
        ("GET", "keys?list=true", None),
        ("GET", "wrapping_key", None),
        ("POST", "keys/acme.9.ES256/import", IMPORT),
    ],
)
def test_a_token_of_one_tenant_only_reads_and_signs(signer_of_acme: Asker, method: str, path: str, body: dict[str, Any] | None) -> None:
    assert signer_of_acme(method, path, body) == 403


async def test_the_store_says_which_path_a_policy_lacks(mounted: Mounted, signer_of_acme: Asker) -> None:
    store = VaultKeyStore(VaultConnection.from_url(mounted.url, token=signer_of_acme.token))
    await store.sign(named(), [b"message"])
    for refused in (store.sign(named(scope=GLOBEX), [b"message"]), store.public_key(named(scope=GLOBEX)), store.create(named(2))):
        with pytest.raises(KeyStoreUnavailable, match=f"'{mounted.mount}/(sign/globex.1|keys/globex.1|keys/acme.2).ES256'") as error:
            await refused
        assert signer_of_acme.token not in str(error.value)
    await store.close()
