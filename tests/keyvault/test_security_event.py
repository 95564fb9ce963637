"""Security Event Tokens: of a form that nobody takes for another token, and verified by an independent library."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from joserfc import jws as jose
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from keyvault import commands, events, import_commands, jws
from keyvault.algorithms import Algorithm
from keyvault.durations import DAY
from keyvault.errors import InvalidToken, NoActiveKey, UnknownKid
from keyvault.jwks import Jwks
from keyvault.keeper import Keeper
from keyvault.master_key import MasterKey
from keyvault.readiness import ready_at, safe_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from keyvault.security_event import SecurityEvent, SecurityEventType, claims, sign_security_event
from keyvault.store_file import FileKeyStore
from streams.scope import TenantScope
from tests.keyvault.made import NOW, POLICY, jwk, settled, with_policy

ACME = TenantScope("acme")
ISSUER = "https://id.example/t/acme"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileKeyStore]:
    store = FileKeyStore(tmp_path, MasterKey(bytes(32)))
    yield store
    await store.close()


def event(kind: SecurityEventType, kid: str) -> SecurityEvent:
    return SecurityEvent(type=kind, kid=kid, at=NOW, jti="notice-1", audience="web-app")


def verified(token: str, jwks: Jwks) -> Any:
    keys = KeySet.import_key_set(json.loads(jwks.body))
    return jose.deserialize_compact(token, keys, algorithms=list(Algorithm))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("algorithm", list(Algorithm))
async def test_it_is_signed_by_the_active_key_in_every_algorithm(store: FileKeyStore, algorithm: Algorithm) -> None:
    ring, policy = Ring.empty(), with_policy(algorithm=algorithm)
    for plan in (commands.change_policy(ring, policy, NOW), commands.scheduled(ring, policy, NOW)):
        for one in await Keeper(store).carry_out(ACME, ring, plan):
            ring = ring.apply(one)
    active, standby = ring.active, ring.standby
    assert active is not None
    assert standby is not None
    told = event(SecurityEventType.KEY_PREPARED, standby.kid)
    signed = await sign_security_event(store, ACME, ring, told, issuer=ISSUER, now=NOW + DAY)
    assert signed.token not in repr(signed)
    got = verified(signed.token, ring.jwks(NOW))
    assert got.protected == {"alg": algorithm.value, "kid": active.kid, "typ": "secevent+jwt"}
    assert signed.kid == active.kid
    with pytest.raises(JoseError):
        verified(signed.token[:-8] + "AAAAAAAA", ring.jwks(NOW))
    with pytest.raises(InvalidToken, match="no 'exp'"):
        jws.verify(signed.token, ring.jwks(NOW), now=NOW + DAY)  # nobody can use it as an access token


def test_its_claims_are_those_of_rfc_8417() -> None:
    ring = settled().ring
    assert ring.standby is not None
    kid = ring.standby.kid
    assert claims(event(SecurityEventType.KEY_PREPARED, kid), ring, issuer=ISSUER, now=NOW + DAY) == {
        "iss": ISSUER,
        "iat": (NOW + DAY) // 1000,
        "jti": "notice-1",
        "aud": "web-app",
        "toe": NOW // 1000,
        "events": {
            "https://tenantry.dev/security-events/key-prepared": {
                "kid": kid,
                "published_at": NOW // 1000,
                "ready_at": ready_at(ring, ring.policy, ring.standby) // 1000,
            }
        },
    }


def test_ready_at_waits_for_the_relying_parties_as_the_rotation_does() -> None:
    history = settled()
    party = RelyingParty(id="app", name="App", cached_for=2 * DAY)
    ring = history.ring.apply(events.RelyingPartyRegistered(at=NOW, relying_party=party))
    assert ring.standby is not None
    safe = safe_at(ring, ring.policy, ring.standby)
    assert safe > ready_at(ring, ring.policy, ring.standby)
    [members] = claims(event(SecurityEventType.KEY_PREPARED, ring.standby.kid), ring, issuer=ISSUER, now=NOW)["events"].values()
    assert members["ready_at"] == safe // 1000


def test_each_event_has_its_own_times() -> None:
    history = settled()
    first, second = (key.kid for key in history.ring.keys)
    history.carry_out(commands.rotate(history.ring, POLICY, NOW + 1000, activate=True, reason="test"))
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + 2000, second, reason="secret"))
    history.carry_out(import_commands.publish(history.ring, POLICY, NOW + 3000, [jwk(50)], NOW + DAY))

    def about(kind: SecurityEventType, kid: str) -> dict[str, Any]:
        [members] = claims(event(kind, kid), history.ring, issuer=ISSUER, now=NOW)["events"].values()
        return cast("dict[str, Any]", members)

    assert about(SecurityEventType.KEY_ACTIVATED, second) == {"kid": second, "activated_at": NOW // 1000 + 1}
    deactivated = history.ring.find(first)
    assert about(SecurityEventType.KEY_DEACTIVATED, first) == {
        "kid": first,
        "deactivated_at": NOW // 1000 + 1,
        "publish_until": (deactivated.publish_until or 0) // 1000,
    }
    assert about(SecurityEventType.KEY_COMPROMISED, second) == {"kid": second, "compromised_at": NOW // 1000 + 2}
    assert about(SecurityEventType.KEY_IMPORTED, jwk(50).kid) == {
        "kid": jwk(50).kid,
        "published_at": NOW // 1000 + 3,
        "publish_until": (NOW + DAY) // 1000,
    }


async def test_without_an_active_key_nothing_is_signed_and_an_unknown_key_is_not_told_of(store: FileKeyStore) -> None:
    told = event(SecurityEventType.KEY_PREPARED, "nobody")
    with pytest.raises(NoActiveKey):
        await sign_security_event(store, ACME, Ring.empty(), told, issuer=ISSUER, now=NOW)
    with pytest.raises(UnknownKid):
        await sign_security_event(store, ACME, settled().ring, told, issuer=ISSUER, now=NOW)
