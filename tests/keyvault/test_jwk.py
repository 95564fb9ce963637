"""JWKs: the RFCs' thumbprints, what is taken from foreign ones, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk as jose_jwk

from keyvault import algorithms, base64url
from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidJwk, UnsupportedJwk
from keyvault.jwk import PublicJwk

RFC_7638_3_1 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W"
    "-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt"
    "-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC_8037_A_2 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_7515_A_3 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def test_the_thumbprint_of_rfc_7638_section_3_1() -> None:
    jwk = PublicJwk.from_dict(RFC_7638_3_1)
    assert jwk.thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert jwk.kid == "2011-04-29"


def test_the_thumbprint_of_rfc_8037_appendix_a_3() -> None:
    assert PublicJwk.from_dict(RFC_8037_A_2).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_key_comes_back_from_its_jwk(algorithm: Algorithm) -> None:
    key = algorithms.generate(algorithm).public_key()
    jwk = PublicJwk.from_public_key(key, algorithm)
    assert PublicJwk.from_dict(jwk.to_dict()) == jwk
    assert jwk.public_key() == key
    assert jwk.kid == jose_jwk.import_key({**jwk.to_dict()}).thumbprint()
    assert jwk.to_dict()["use"] == "sig"
    assert jwk.to_dict()["alg"] == algorithm


@pytest.mark.parametrize(
    ("data", "implied"), [(RFC_8037_A_2, "EdDSA"), (RFC_7515_A_3, "ES256"), ({**RFC_7638_3_1, "alg": "PS256"}, "PS256")]
)
def test_the_algorithm_is_the_one_named_or_implied(data: dict[str, Any], implied: str) -> None:
    assert PublicJwk.from_dict(data).alg == implied


def test_what_is_not_needed_is_left_out() -> None:
    jwk = PublicJwk.from_dict({**RFC_7515_A_3, "x5c": ["MII"], "x5t": "abc", "key_ops": ["verify"], "ext": True, "use": "sig"})
    assert set(jwk.to_dict()) == {"kty", "kid", "alg", "use", "crv", "x", "y"}


def test_a_leading_zero_octet_of_a_modulus_changes_nothing() -> None:
    padded = base64url.encode(b"\0" + base64url.decode(RFC_7638_3_1["n"]))
    assert PublicJwk.from_dict({**RFC_7638_3_1, "n": padded}) == PublicJwk.from_dict(RFC_7638_3_1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use": "enc"}, "use"),
        ({"kty": "oct"}, "key type"),
        ({"crv": "P-521"}, "curve"),
        ({"crv": None}, "curve"),
        ({"alg": "ES512"}, "algorithm"),
        ({"alg": "none"}, "algorithm"),
        ({"alg": 5}, "algorithm"),
    ],
)
def test_what_is_not_supported_is_told_apart(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedJwk, match=message):
        PublicJwk.from_dict({**RFC_7515_A_3, **change})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "kty"),
        ({**RFC_7515_A_3, "d": "AAAA"}, "private key"),
        ({**RFC_7638_3_1, "p": "AAAA"}, "private key"),
        ({**RFC_7515_A_3, "x": None}, "'x'"),
        ({**RFC_7515_A_3, "x": "AAAA"}, "32 octets"),
        ({**RFC_7515_A_3, "y": RFC_7515_A_3["x"]}, "EC public key"),
        ({**RFC_7515_A_3, "x": RFC_7515_A_3["x"] + "="}, "base64url"),
        ({**RFC_8037_A_2, "x": "AAAA"}, "32 octets"),
        ({**RFC_7638_3_1, "n": "AQAB"}, "bits"),
        ({**RFC_7638_3_1, "n": base64url.encode(b"\xff" * 2000)}, "bits"),
        ({**RFC_7638_3_1, "e": "Ag"}, "RSA public key"),
        ({**RFC_7515_A_3, "kid": ""}, "kid"),
        ({**RFC_7515_A_3, "kid": "x" * 257}, "kid"),
        ({**RFC_7515_A_3, "kid": "a\nb"}, "kid"),
        ({**RFC_7515_A_3, "alg": "EdDSA"}, "not for EdDSA"),
        ({**RFC_7515_A_3, "alg": "ES384"}, "not for ES384"),
    ],
)
def test_what_is_malformed_or_private_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJwk, match=message) as raised:
        PublicJwk.from_dict(data)
    assert not isinstance(raised.value, UnsupportedJwk)


def test_a_weak_rsa_key_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    data = {"kty": "RSA", "n": base64url.encode(weak.n.to_bytes(128, "big")), "e": "AQAB"}
    with pytest.raises(InvalidJwk, match="not 1024"):
        PublicJwk.from_dict(data)
