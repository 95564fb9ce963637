"""Claims in, tokens out: signed by the active key, at the file store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keyvault import commands, jws
from keyvault.durations import HOUR
from keyvault.errors import InvalidClaims, KeyStoreUnavailable, NoActiveKey
from keyvault.keeper import Keeper
from keyvault.master_key import MasterKey
from keyvault.plan import Plan
from keyvault.ring import Ring
from keyvault.signing import new_jti, sign_token, sign_tokens
from keyvault.store_file import FileKeyStore
from streams.scope import TenantScope
from tests.keyvault.made import NOW, POLICY

ACME = TenantScope("acme")
ISSUER = "https://id.example/t/acme"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileKeyStore]:
    store = FileKeyStore(tmp_path, MasterKey(bytes(32)))
    yield store
    await store.close()


async def carried_out(store: FileKeyStore, ring: Ring, plan: Plan) -> Ring:
    for event in await Keeper(store).carry_out(ACME, ring, plan):
        ring = ring.apply(event)
    return ring


@pytest.fixture
async def ring(store: FileKeyStore) -> Ring:
    ring = Ring.empty()
    ring = await carried_out(store, ring, commands.change_policy(ring, POLICY, NOW))
    return await carried_out(store, ring, commands.scheduled(ring, POLICY, NOW))


async def test_a_token_verifies_against_the_jwks(store: FileKeyStore, ring: Ring) -> None:
    token = await sign_token(store, ACME, ring, {"sub": "ada"}, issuer=ISSUER, now=NOW)
    claims = jws.verify(token, ring.jwks(NOW), now=NOW, issuer=ISSUER)
    assert claims["sub"] == "ada"
    assert claims["exp"] == NOW // 1000 + 3600


async def test_a_token_verifies_after_a_rotation_until_it_expires(store: FileKeyStore, ring: Ring) -> None:
    token = await sign_token(store, ACME, ring, {"sub": "ada"}, issuer=ISSUER, now=NOW)
    rotated = await carried_out(store, ring, commands.rotate(ring, POLICY, NOW, activate=True, reason="test"))
    assert jws.verify(token, rotated.jwks(NOW + HOUR - 1), now=NOW + HOUR - 1)
    newer = await sign_token(store, ACME, rotated, {}, issuer=ISSUER, now=NOW)
    assert jws.verify(newer, rotated.jwks(NOW), now=NOW)
    assert token.split(".")[0] != newer.split(".")[0]


async def test_many_tokens_are_signed_at_once_in_their_order(store: FileKeyStore, ring: Ring) -> None:
    signed = await sign_tokens(store, ACME, ring, [{"sub": str(n)} for n in range(20)], issuer=ISSUER, now=NOW)
    verified = [jws.verify(one.token, ring.jwks(NOW), now=NOW) for one in signed]
    assert [claims["sub"] for claims in verified] == [str(n) for n in range(20)]
    assert len({claims["jti"] for claims in verified}) == 20
    assert {one.kid for one in signed} == {ring.keys[0].kid}
    assert {one.expires_at for one in signed} == {NOW + HOUR}
    assert signed[0].token not in repr(signed[0])


async def test_bad_claims_are_refused_before_anything_is_signed(store: FileKeyStore, ring: Ring) -> None:
    with pytest.raises(InvalidClaims, match="'iss'"):
        await sign_token(store, ACME, ring, {"iss": "https://evil.example"}, issuer=ISSUER, now=NOW)
    with pytest.raises(InvalidClaims, match="'exp'"):
        await sign_tokens(store, ACME, ring, [{}, {"exp": NOW}], issuer=ISSUER, now=NOW)


async def test_without_an_active_key_nothing_is_signed(store: FileKeyStore) -> None:
    with pytest.raises(NoActiveKey, match="try again later"):
        await sign_token(store, ACME, Ring.empty(), {}, issuer=ISSUER, now=NOW)


async def test_without_the_store_nothing_is_signed(store: FileKeyStore, ring: Ring) -> None:
    await store.close()
    with pytest.raises(KeyStoreUnavailable):
        await sign_token(store, ACME, ring, {}, issuer=ISSUER, now=NOW)


def test_token_ids_are_random() -> None:
    assert len({new_jti() for _ in range(1000)}) == 1000
