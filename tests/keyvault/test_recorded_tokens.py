"""Recorded from a real Keycloak: a token verifies against the JWKS of a phase if and only if its kid is in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from keyvault import base64url, jws
from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidToken, TokenProblem
from keyvault.jwks import Jwks

RECORDED = Path(__file__).parents[1] / "data/keycloak/tokens.json.gz"
ROTATION = ["before", "new_key_active_old_key_still_published", "old_key_passive", "old_key_disabled", "old_key_deleted"]


@dataclass(frozen=True)
class Token:
    """A recorded token, and a moment when it was valid (epoch milliseconds)."""

    text: str
    kid: str
    alg: str
    moment: int


@cache
def realms() -> dict[str, Any]:
    realms: dict[str, Any] = json.loads(gzip.decompress(RECORDED.read_bytes()))["realms"]
    return realms


def phases(realm: str) -> list[tuple[dict[str, Any], Jwks, list[Token]]]:
    return [(phase, Jwks.parse(phase["jwks"]), list(tokens(phase))) for phase in realms()[realm]["phases"]]


def tokens(phase: dict[str, Any]) -> Iterator[Token]:
    for recorded in phase["tokens"]:
        for text in filter(None, (recorded.get("access_token"), recorded.get("id_token"))):
            claims = json.loads(base64url.decode(text.split(".")[1]))
            yield Token(text, recorded["kid"], recorded["alg"], (claims["iat"] + claims["exp"]) * 500)


ROTATED = [name for name in realms() if len(realms()[name]["phases"]) == len(ROTATION)]


def test_globex_and_hooli_are_recorded() -> None:
    assert "globex" in ROTATED
    assert "hooli" in realms()


@pytest.mark.parametrize("realm", ROTATED)
def test_a_token_of_a_rotation_verifies_exactly_where_its_key_is_published(realm: str) -> None:
    recorded = phases(realm)
    assert [phase["name"] for phase, _, _ in recorded] == ROTATION
    verified = [
        [verifies(token, jwks, realm) for token in issued]  # for the tokens of each phase …
        for _, jwks, _ in recorded  # … against the JWKS of each phase
        for _, _, issued in recorded[:2]
    ]
    old, new = True, True
    expected = [(old, not new), (old, new), (old, new), (not old, new), (not old, new)]
    assert [all(row) for row in verified] == [value for pair in expected for value in pair]
    assert all(len(set(row)) == 1 for row in verified)
    for phase, _, issued in recorded[:2]:
        assert len(phase["tokens"]) == 20
        assert len(issued) > 20  # access tokens, and id tokens where the grant gives one


@pytest.mark.parametrize("realm", ROTATED)
def test_the_server_itself_saw_it_so_while_it_published_the_key(realm: str) -> None:
    for phase, jwks, _ in phases(realm):
        for which, issued in zip(("old", "new"), (phases(realm)[0][2], phases(realm)[1][2]), strict=True):
            if (check := phase.get(f"server_check_{which}")) is not None:
                assert (check["userinfo_status"] == 200) == (jwks.find(issued[0].kid) is not None)


@pytest.mark.parametrize("realm", realms())
def test_every_token_verifies_if_and_only_if_its_kid_is_in_the_jwks(realm: str) -> None:
    recorded = phases(realm)
    for _, jwks, _ in recorded:
        for _, _, issued in recorded:
            for token in issued:
                assert verifies(token, jwks, realm) == (jwks.find(token.kid) is not None)


def test_hooli_has_four_more_algorithms() -> None:
    seen = {token.alg for _, _, issued in phases("hooli") for token in issued}
    assert seen == {Algorithm.ES256, Algorithm.EDDSA, Algorithm.PS256, Algorithm.ES384}


def test_encryption_keys_are_published_and_skipped() -> None:
    for realm in realms():
        for phase, jwks, _ in phases(realm):
            encryption = [key["kid"] for key in phase["jwks"]["keys"] if key["use"] == "enc"]
            assert encryption
            assert not any(jwks.find(kid) for kid in encryption)
            assert len(jwks.keys) == len(phase["jwks"]["keys"]) - len(encryption)


@pytest.mark.parametrize("realm", realms())
def test_no_token_verifies_after_its_end_or_for_another_issuer(realm: str) -> None:
    for _, jwks, issued in phases(realm):
        for token in issued[:3]:
            with pytest.raises(InvalidToken) as expired:
                jws.verify(token.text, jwks, now=token.moment + 3_600_000)
            with pytest.raises(InvalidToken) as foreign:
                jws.verify(token.text, jwks, now=token.moment, issuer="http://127.0.0.1:8180/realms/other")
            assert (expired.value.problem, foreign.value.problem) == (TokenProblem.EXPIRED, TokenProblem.ISSUER)


def verifies(token: Token, jwks: Jwks, realm: str) -> bool:
    try:
        claims = jws.verify(token.text, jwks, now=token.moment, issuer=realms()[realm]["issuer"])
    except InvalidToken as error:
        if error.problem is not TokenProblem.KID_UNKNOWN:
            raise
        return False
    assert claims["iss"] == realms()[realm]["issuer"]
    return True
