"""The keys of the Vault store, beyond the contract of its port: as others made them, half destroyed, and where Vault is not."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from keyvault import algorithms
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyDestroyed, KeyNotFound, KeyStoreConflict, KeyStoreUnavailable
from keyvault.jwk import PublicJwk
from keyvault.store_vault import VaultConnection, VaultKeyStore
from keyvault.store_vault.names import KINDS, VERSION
from keyvault.store_vault.transit import signatures
from streams.scope import TenantScope
from tests.keyvault.store_vault.mounted import Mounted, named

KEY = "keys/acme.1.ES256"
RETIRING: Sequence[tuple[str, dict[str, Any]]] = (
    ("rotate", {}),
    ("config", {"min_encryption_version": 2}),
    ("config", {"min_decryption_version": 2}),
    ("trim", {"min_available_version": 2}),
)
"""What `destroy` does, step by step."""


async def signs(store: VaultKeyStore, public: PublicJwk) -> bool:
    [signature] = await store.sign(named(), [b"message"])
    return algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)


async def test_a_key_is_made_so_that_it_never_leaves(store: VaultKeyStore, mounted: Mounted) -> None:
    for algorithm in Algorithm:
        await store.create(named(algorithm=algorithm))
        data = mounted.ask("GET", f"keys/acme.1.{algorithm}")["data"]
        assert (data["exportable"], data["allow_plaintext_backup"], data["deletion_allowed"]) == (False, False, False)
        assert (data["type"], list(data["keys"]), data["latest_version"]) == (KINDS[algorithm].type, [str(VERSION)], VERSION)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"type": "ed25519"}, "is of type 'ed25519' and not 'ecdsa-p256'"),
        ({"type": "ecdsa-p384"}, "is of type 'ecdsa-p384'"),
        ({"type": "aes256-gcm96"}, "is of type 'aes256-gcm96'"),
        ({"type": "ecdsa-p256", "exportable": True}, "can be exported"),
        ({"type": "ecdsa-p256", "allow_plaintext_backup": True}, "can be backed up in plain text"),
    ],
)
async def test_a_key_that_somebody_else_made_otherwise_is_refused(
    store: VaultKeyStore, mounted: Mounted, settings: dict[str, Any], problem: str
) -> None:
    mounted.ask("POST", KEY, settings)
    with pytest.raises(KeyStoreConflict, match=problem):
        await store.create(named())


async def test_a_key_of_another_type_does_not_sign(store: VaultKeyStore, mounted: Mounted) -> None:
    for kind in ("ecdsa-p384", "aes256-gcm96"):
        mounted.ask("POST", f"keys/{kind}.1.ES256", {"type": kind})
        other = named(scope=TenantScope(kind))
        with pytest.raises(KeyStoreConflict, match=f"is of type '{kind}'"):
            await store.sign(other, [b"message"])
        with pytest.raises(KeyStoreConflict, match="has no such public key"):
            await store.public_key(other)


async def test_a_key_that_was_rotated_in_vault_by_hand_stays_what_it_was(store: VaultKeyStore, mounted: Mounted) -> None:
    public = await store.create(named())
    mounted.ask("POST", f"{KEY}/rotate")
    assert await store.create(named()) == await store.public_key(named()) == public
    assert await signs(store, public)


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.RS256])
async def test_a_destroyed_key_is_erased_even_for_root(store: VaultKeyStore, mounted: Mounted, algorithm: Algorithm) -> None:
    numbers = []
    for ordinal in (1, 2):
        key = (await store.create(named(ordinal, algorithm))).public_key()
        numbers.append(str(key.public_numbers().x if isinstance(key, EllipticCurvePublicKey) else key.public_numbers().n))  # type: ignore[union-attr]
    await store.destroy(named(1, algorithm))
    backups = []
    for ordinal in (1, 2):
        mounted.ask("POST", f"keys/acme.{ordinal}.{algorithm}/config", {"exportable": True, "allow_plaintext_backup": True})
        backup = mounted.ask("GET", f"backup/acme.{ordinal}.{algorithm}")["data"]["backup"]
        backups.append(base64.b64decode(backup).decode())
    assert numbers[1] in backups[1], "else this test could not find it"
    assert numbers[0] not in backups[0]
    assert "1" not in json.loads(backups[0])["policy"]["keys"]


@pytest.mark.parametrize("steps", range(len(RETIRING) + 1))
async def test_a_destruction_that_was_interrupted_anywhere_can_be_finished(store: VaultKeyStore, mounted: Mounted, steps: int) -> None:
    public = await store.create(named())
    for step, body in RETIRING[:steps]:
        mounted.ask("POST", f"{KEY}/{step}", body)
    if steps < 2:  # as if it had not begun
        assert await store.create(named()) == await store.public_key(named()) == public
        assert await signs(store, public)
    else:
        await is_destroyed(store)
    await store.destroy(named())
    await is_destroyed(store)
    data = mounted.ask("GET", KEY)["data"]
    assert (data["min_available_version"], list(data["keys"])) == (2, ["2"])


async def is_destroyed(store: VaultKeyStore) -> None:
    for call in (store.create(named()), store.public_key(named()), store.sign(named(), [b"message"])):
        with pytest.raises(KeyDestroyed, match="another ordinal"):
            await call


async def test_a_key_does_not_come_back_whoever_creates_it_while_it_is_destroyed(store: VaultKeyStore, mounted: Mounted) -> None:
    public = await store.create(named())
    other = VaultKeyStore(mounted.connection())
    racing = [other.create(named()) if n % 3 else store.destroy(named()) for n in range(30)]
    answers = await asyncio.gather(*racing, return_exceptions=True)
    assert all(answer is None or answer == public or isinstance(answer, KeyDestroyed) for answer in answers)
    await is_destroyed(store)
    await other.close()


async def test_many_messages_of_many_callers_each_get_their_own_signature(store: VaultKeyStore) -> None:
    for algorithm in (Algorithm.ES256, Algorithm.EDDSA, Algorithm.PS256):
        public = (await store.create(named(algorithm=algorithm))).public_key()
        calls = [[b"%d of %d" % (n, caller) for n in range(caller % 7)] for caller in range(40)] + [[b"", b"x" * 100_000]]
        answers = await asyncio.gather(*(store.sign(named(algorithm=algorithm), messages) for messages in calls))
        for messages, answer in zip(calls, answers, strict=True):
            assert len(messages) == len(answer)
            assert all(algorithms.verify(algorithm, public, *pair) for pair in zip(messages, answer, strict=True))


async def test_a_message_that_vault_does_not_take_fails_alone(store: VaultKeyStore) -> None:
    name = named(algorithm=Algorithm.EDDSA)
    public = (await store.create(name)).public_key()
    large, small = await asyncio.gather(store.sign(name, [bytes(40_000_000)]), store.sign(name, [b"small"]), return_exceptions=True)
    assert isinstance(large, KeyStoreUnavailable)
    assert isinstance(small, Sequence)
    assert algorithms.verify(Algorithm.EDDSA, public, b"small", small[0])


def test_an_item_without_a_signature_says_why(mounted: Mounted) -> None:
    mounted.ask("POST", KEY, {"type": "ecdsa-p256"})
    kind = KINDS[Algorithm.ES256]
    answer = mounted.ask("POST", "sign/acme.1.ES256", {**kind.parameters, "batch_input": [{"input": "A" * 43 + "="}, {"input": "%"}]})
    good, bad = signatures(answer["data"], kind)
    assert isinstance(good, bytes)
    assert isinstance(bad, str)
    assert "base64" in bad
    assert signatures(
        {"batch_results": [{"signature": "vault:v2:AAAA"}, {"signature": "vault:v1:AAAA"}, {"signature": "vault:v1:%"}]}, kind
    ) == [
        "its answer is no signature",
        "its signature is not of this algorithm",
        "its signature is not of this algorithm",
    ]


async def test_a_mount_that_is_not_there_is_no_missing_key(mounted: Mounted) -> None:
    root = mounted.bao.root_token
    for url, command in (
        (f"vault://127.0.0.1:{mounted.bao.port}/nowhere", "bao secrets enable -path=nowhere transit"),
        (f"{mounted.url}&namespace=nobody", "bao namespace create nobody"),
    ):
        await is_unavailable(VaultConnection.from_url(url, token=root), command)


async def test_a_mount_that_has_gone_is_no_missing_key(store: VaultKeyStore, mounted: Mounted) -> None:
    await store.create(named())
    mounted.bao.ask("DELETE", f"sys/mounts/{mounted.mount}")
    for call in (store.public_key(named()), store.sign(named(), [b"message"]), store.destroy(named())):
        with pytest.raises(KeyStoreUnavailable, match=f"bao secrets enable -path={mounted.mount} transit"):
            await call


async def test_a_mount_of_another_engine_is_no_missing_key(mounted: Mounted) -> None:
    mount = mounted.bao.mount(f"kv-{mounted.mount}", "kv")
    connection = VaultConnection.from_url(f"vault://127.0.0.1:{mounted.bao.port}/{mount}", token=mounted.bao.root_token)
    await is_unavailable(connection, "is of type 'kv'; name a mount of transit")


async def test_a_namespace_has_its_own_keys(store: VaultKeyStore, mounted: Mounted) -> None:
    namespace = f"team-{mounted.mount}"
    mounted.bao.ask("POST", f"sys/namespaces/{namespace}", {})
    mounted.bao.ask("POST", f"{namespace}/sys/mounts/keys", {"type": "transit"})
    url = f"vault://127.0.0.1:{mounted.bao.port}/keys?namespace={namespace}"
    theirs = VaultKeyStore.open(url, token=mounted.bao.root_token)
    await theirs.create(named())
    assert mounted.bao.ask("GET", f"{namespace}/keys/{KEY}")["data"]["type"] == "ecdsa-p256"
    with pytest.raises(KeyNotFound):
        await store.public_key(named())
    await theirs.close()


async def is_unavailable(connection: VaultConnection, hint: str) -> None:
    store = VaultKeyStore(connection)
    for call in (store.create(named()), store.public_key(named()), store.sign(named(), [b"message"]), store.destroy(named())):
        with pytest.raises(KeyStoreUnavailable, match=hint):
            await call
    await store.close()
