"""The public keys of somebody else's JWK set."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidImport
from keyvault.foreign_jwks import read_public_keys
from keyvault.jwk import PublicJwk
from tests.keyvault.made import jwk
from tests.keyvault.test_recorded_tokens import realms

GOOD = jwk(1).to_dict()
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"


def rsa_jwk(bits: int) -> dict[str, Any]:
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key().public_numbers()
    made = PublicJwk.from_public_key(rsa.RSAPublicNumbers(numbers.e, numbers.n).public_key(), Algorithm.RS256, f"rsa-{bits}")
    return made.to_dict()


def test_keycloaks_jwks_is_read_and_its_encryption_keys_are_left_out() -> None:
    for realm in realms().values():
        for phase in realm["phases"]:
            signing = [key["kid"] for key in phase["jwks"]["keys"] if key["use"] == "sig"]
            found = read_public_keys(json.dumps(phase["jwks"]))
            assert [key.kid for key in found.keys] == signing
            assert {one.reason for one in found.skipped} == {"its use is 'enc', not 'sig'"}
            assert len(found.skipped) == len(phase["jwks"]["keys"]) - len(signing)


def test_a_single_jwk_will_do() -> None:
    assert read_public_keys(GOOD).keys == (jwk(1),)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({**GOOD, "use": "enc"}, "its use is 'enc'"),
        ({**GOOD, "alg": "ES256K"}, "algorithm 'ES256K' is not supported"),
        ({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}, "curve 'P-521' is not supported"),
        ({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, "key type 'AKP' is not supported"),
        ({"kty": "RSA", "n": "AA"}, "'e'"),
        ({**GOOD, "kid": "a\nb"}, "printable"),
        ({"kid": "x"}, "needs the member 'kty'"),
    ],
)
def test_what_can_not_be_published_is_left_out_with_its_reason(bad: dict[str, Any], reason: str) -> None:
    found = read_public_keys({"keys": [bad, GOOD]})
    assert found.keys == (jwk(1),)
    [skipped] = found.skipped
    assert reason in skipped.reason
    with pytest.raises(InvalidImport, match="no key that verifies"):
        read_public_keys({"keys": [bad]})


ODD: list[Any] = [[], {}, None, True, 7, -1.5, "", "\ud800", "\x00", "é", "A", "=", ["sig"], {"a": 1}, [[]]]


@pytest.mark.parametrize("algorithm", ["RSA", "EC", "OKP"])
def test_a_member_of_any_odd_value_leaves_its_key_out_and_fails_nothing(algorithm: str) -> None:
    good = {"RSA": rsa_jwk(2048), "EC": jwk(1, Algorithm.ES256).to_dict(), "OKP": jwk(2).to_dict()}[algorithm]
    for name in (*good, "use", "key_ops", "x5c", "anything"):
        for odd in ODD:
            found = read_public_keys({"keys": [{**good, name: odd}, {**GOOD, "kid": "good"}]})
            assert "good" in {key.kid for key in found.keys}, (name, odd)


def test_a_weak_rsa_key_is_left_out() -> None:
    found = read_public_keys({"keys": [rsa_jwk(1024), rsa_jwk(2048)]})
    assert [key.kid for key in found.keys] == ["rsa-2048"]
    assert "2048 to 8192 bits" in found.skipped[0].reason


@pytest.mark.parametrize(
    "private",
    [
        {**GOOD, "d": SECRET},
        {"kty": "oct", "kid": "hmac", "k": SECRET},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "p": SECRET},
        {**GOOD, "use": "enc", "d": SECRET},
    ],
)
def test_a_private_or_symmetric_key_is_refused_with_all_the_others_and_not_repeated(private: dict[str, Any]) -> None:
    with pytest.raises(InvalidImport, match="holds a private key") as refused:
        read_public_keys({"keys": [GOOD, private]})
    assert SECRET not in str(refused.value)


def test_two_keys_of_one_kid_are_refused_unless_they_are_one() -> None:
    other = PublicJwk.from_public_key(ec.generate_private_key(ec.SECP256R1()).public_key(), Algorithm.ES256, GOOD["kid"])
    with pytest.raises(InvalidImport, match="has the kid of another key"):
        read_public_keys({"keys": [GOOD, other.to_dict()]})
    assert read_public_keys({"keys": [GOOD, GOOD]}).keys == (jwk(1),)


def test_a_hundred_keys_are_read_and_no_more() -> None:
    others = [{**GOOD, "use": "enc"}] * 99
    assert len(read_public_keys({"keys": [GOOD, *others]}).skipped) == 99
    with pytest.raises(InvalidImport, match="has 101 keys; at most 100 keys"):
        read_public_keys({"keys": [GOOD, GOOD, *others]})


@pytest.mark.parametrize("document", ["", "[]", "<html>", '{"keys": {}}', '{"keys": [1]}', "[" * 100_000, {}, {"keys": []}])
def test_what_is_no_jwk_set_is_refused(document: Any) -> None:
    with pytest.raises(InvalidImport):
        read_public_keys(document)
