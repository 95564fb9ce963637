"""Keys that were made elsewhere, in the Vault store: they arrive wrapped, do not leave, and are erased in every version."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keyvault import algorithms
from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.errors import InvalidImport, KeyDestroyed, KeyStoreConflict, KeyStoreUnavailable
from keyvault.store_vault import VaultConnection, VaultKeyStore
from keyvault.store_vault.names import transit_name
from keyvault.store_vault.wrapping import read_wrapping_key, wrapped
from tests.contract.key_store import imported
from tests.keyvault.store_vault.mounted import Mounted, named


@pytest.fixture
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def by_hand(mounted: Mounted, name: str, private: PrivateKey, kind: str = "ecdsa-p256", **more: Any) -> None:
    """Imports the key as somebody with another policy could."""
    wrapping_key = read_wrapping_key(mounted.ask("GET", "wrapping_key")["data"]["public_key"])
    mounted.ask("POST", f"keys/{name}/import", {"type": kind, "ciphertext": wrapped(private, wrapping_key), **more})


async def test_an_adopted_key_does_not_leave(store: VaultKeyStore, mounted: Mounted, private: ec.EllipticCurvePrivateKey) -> None:
    await store.adopt(imported(private), private)
    data = mounted.ask("GET", f"keys/{transit_name(imported(private))}")["data"]
    assert (data["imported_key"], data["exportable"], data["allow_plaintext_backup"]) == (True, False, False)
    assert (data["type"], list(data["keys"])) == ("ecdsa-p256", ["1"])


async def test_what_goes_over_the_wire_is_wrapped(mounted: Mounted, private: ec.EllipticCurvePrivateKey) -> None:
    wrapping_key = read_wrapping_key(mounted.ask("GET", "wrapping_key")["data"]["public_key"])
    first, again = (base64.b64decode(wrapped(private, wrapping_key)) for _ in range(2))
    scalar = private.private_numbers().private_value.to_bytes(32, "big")
    assert scalar in private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "else this test could not find it"
    assert scalar not in first
    assert first[512:] != again[512:], "the key that wraps it is used once"


async def test_what_is_no_wrapping_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no RSA key"):
        read_wrapping_key(
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
        )


async def test_a_key_that_somebody_imported_under_a_name_of_ours_is_not_used(store: VaultKeyStore, mounted: Mounted, private: Any) -> None:
    by_hand(mounted, "acme.1.ES256", private)
    with pytest.raises(KeyStoreConflict, match="was imported, so somebody else may have it"):
        await store.create(named())


async def test_an_imported_key_that_can_be_exported_is_refused(store: VaultKeyStore, mounted: Mounted, private: Any) -> None:
    by_hand(mounted, transit_name(imported(private)), private, exportable=True)
    with pytest.raises(KeyStoreConflict, match="can be exported"):
        await store.adopt(imported(private), private)


async def test_a_size_that_vault_has_no_keys_of_is_refused(store: VaultKeyStore) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2304)
    with pytest.raises(InvalidImport, match="2048, 3072, 4096 bits, and none of 2304"):
        await store.adopt(imported(private, Algorithm.RS256), private)


async def test_a_key_that_two_imports_have_left_in_two_versions_is_erased_in_both(
    store: VaultKeyStore, mounted: Mounted, private: ec.EllipticCurvePrivateKey
) -> None:
    """Vault's check whether a key is there, and its import, are two steps: of two at once, the second adds a version."""
    its = imported(private)
    public = await store.adopt(its, private)
    wrapping_key = read_wrapping_key(mounted.ask("GET", "wrapping_key")["data"]["public_key"])
    path = f"keys/{transit_name(its)}"
    mounted.ask("POST", f"{path}/import_version", {"ciphertext": wrapped(private, wrapping_key)})
    assert list(mounted.ask("GET", path)["data"]["keys"]) == ["1", "2"]
    [signature] = await store.sign(its, [b"message"])
    assert algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)
    await store.destroy(its)
    with pytest.raises(KeyDestroyed):
        await store.adopt(its, private)
    x = str(private.public_key().public_numbers().x)
    mounted.ask("POST", f"{path}/config", {"exportable": True, "allow_plaintext_backup": True})
    backup = base64.b64decode(mounted.ask("GET", f"backup/{transit_name(its)}")["data"]["backup"]).decode()
    assert x not in backup


@pytest.mark.parametrize("lacking", ["wrapping_key", r"keys/\+/import"])
async def test_without_the_permission_the_store_says_which_path_is_lacking(mounted: Mounted, private: Any, lacking: str) -> None:
    policy = f"{mounted.mount}-no-imports"
    mounted.write_policy(policy, "vault-policy.hcl", without=f"{mounted.mount}/{lacking}")
    store = VaultKeyStore(VaultConnection.from_url(mounted.url, token=mounted.token(policy)))
    path = f"{mounted.mount}/{lacking}".replace(r"\+", transit_name(imported(private)))
    with pytest.raises(KeyStoreUnavailable, match=f"does not allow '{path}'"):
        await store.adopt(imported(private), private)
    await store.create(named())
    await store.close()
