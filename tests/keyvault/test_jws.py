"""Tokens verify with their own key and algorithm, in their own time, and in one spelling only."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet

from keyvault import algorithms, base64url, jws
from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidToken, TokenProblem
from keyvault.jwk import PublicJwk
from keyvault.jwks import Jwks
from tests.keyvault.made import NOW, jwk, private

SECONDS = NOW // 1000
CLAIMS = {"iss": "https://id.example", "aud": ["web", "app"], "iat": SECONDS, "exp": SECONDS + 60, "sub": "ada"}
JWKS = Jwks.of([jwk(1), jwk(2)])


def token(claims: dict[str, Any], ordinal: int = 1, **header: object) -> str:
    head = {"alg": "EdDSA", "kid": jwk(ordinal).kid, "typ": "JWT", **header}
    return raw(json.dumps({name: value for name, value in head.items() if value is not None}), json.dumps(claims), ordinal)


def raw(header: str, payload: str, ordinal: int = 1) -> str:
    signed = f"{base64url.encode(header.encode())}.{base64url.encode(payload.encode())}"
    return f"{signed}.{base64url.encode(algorithms.sign(Algorithm.EDDSA, private(ordinal), signed.encode()))}"


def problem(text: str, **options: Any) -> TokenProblem:
    with pytest.raises(InvalidToken) as raised:
        jws.verify(text, JWKS, **{"now": NOW, **options})
    assert len(text) < 30 or text not in str(raised.value)
    return raised.value.problem


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; most clients know the old name only
@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_token_verifies_here_and_with_other_libraries(algorithm: Algorithm) -> None:
    key = algorithms.generate(algorithm)
    public = PublicJwk.from_public_key(key.public_key(), algorithm)
    jwks = Jwks.of([public])
    text = jws.encode(CLAIMS, algorithm, public.kid, lambda message: algorithms.sign(algorithm, key, message))
    assert jws.verify(text, jwks, now=NOW, issuer="https://id.example", audience="app") == CLAIMS
    assert (
        jwt.decode(text, jwt.PyJWK.from_dict(public.to_dict()), audience="app", options={"verify_exp": False, "verify_iat": False})
        == CLAIMS
    )
    assert jose_jwt.decode(text, KeySet.import_key_set(json.loads(jwks.body)), algorithms=[algorithm]).claims == CLAIMS
    assert jwt.get_unverified_header(text) == {"alg": algorithm, "kid": public.kid, "typ": "JWT"}


def test_a_token_is_valid_from_iat_until_exp() -> None:
    text = token({**CLAIMS, "nbf": SECONDS + 10})
    assert problem(text, now=NOW - 1) is TokenProblem.NOT_YET_VALID
    assert problem(text, now=NOW + 9_999) is TokenProblem.NOT_YET_VALID
    assert jws.verify(text, JWKS, now=NOW + 10_000)
    assert jws.verify(text, JWKS, now=NOW + 59_999)
    assert problem(text, now=NOW + 60_000) is TokenProblem.EXPIRED
    assert problem(token(CLAIMS), now=NOW - 1) is TokenProblem.ISSUED_IN_FUTURE


def test_leeway_stretches_both_ends() -> None:
    assert jws.verify(token(CLAIMS), JWKS, now=NOW - 5000, leeway=5000)
    assert jws.verify(token(CLAIMS), JWKS, now=NOW + 64_999, leeway=5000)
    assert problem(token(CLAIMS), now=NOW + 65_000, leeway=5000) is TokenProblem.EXPIRED


@pytest.mark.parametrize("value", [None, "1", True, 1e400, -1e400, float("nan"), 10**400, [], {}])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_time_that_no_clock_shows_is_refused(name: str, value: object) -> None:
    assert problem(token({**CLAIMS, name: value})) in {TokenProblem.CLAIMS, TokenProblem.MALFORMED}


def test_a_token_without_end_is_refused() -> None:
    assert problem(token({"sub": "ada"})) is TokenProblem.CLAIMS


def test_issuer_and_audience_must_be_the_expected_ones() -> None:
    assert problem(token(CLAIMS), issuer="https://other.example") is TokenProblem.ISSUER
    assert problem(token(CLAIMS), audience="other") is TokenProblem.AUDIENCE
    assert problem(token({"exp": SECONDS + 1}), audience="other") is TokenProblem.AUDIENCE
    assert jws.verify(token({**CLAIMS, "aud": "web"}), JWKS, now=NOW, audience="web")


def test_the_key_is_the_one_that_the_header_names() -> None:
    assert problem(token(CLAIMS, kid=None)) is TokenProblem.KID_MISSING
    assert problem(token(CLAIMS, kid=1)) is TokenProblem.KID_MISSING
    assert problem(token(CLAIMS, 3)) is TokenProblem.KID_UNKNOWN
    assert problem(token(CLAIMS, 1, kid=jwk(2).kid)) is TokenProblem.SIGNATURE


@pytest.mark.parametrize("alg", ["none", "None", "", "HS256", "ES256", "eddsa", None, 1, ["EdDSA"]])
def test_the_algorithm_is_the_keys_own(alg: object) -> None:
    assert problem(token(CLAIMS, alg=alg)) is TokenProblem.ALGORITHM


def test_a_public_key_is_no_hmac_secret() -> None:
    signed = jws.signing_input(Algorithm.EDDSA, jwk(1).kid, json.dumps(CLAIMS).encode()).replace(
        base64url.encode(b'{"alg":"EdDSA"').encode()[:18], base64url.encode(b'{"alg":"HS256"').encode()[:18]
    )
    secret = base64url.decode(jwk(1).x or "")
    assert problem(jws.compact(signed, hmac.digest(secret, signed, hashlib.sha256))) is TokenProblem.ALGORITHM


@pytest.mark.parametrize("crit", [[], ["exp"], ["b64"], None, False])
def test_critical_extensions_are_refused(crit: object) -> None:
    header = json.dumps({"alg": "EdDSA", "kid": jwk(1).kid, "crit": crit})
    assert problem(raw(header, json.dumps(CLAIMS))) is TokenProblem.CRITICAL


def test_an_altered_token_is_refused() -> None:
    head, payload, signature = token(CLAIMS).split(".")
    forged = base64url.encode(json.dumps({**CLAIMS, "sub": "eve"}).encode())
    assert problem(f"{head}.{forged}.{signature}") is TokenProblem.SIGNATURE
    assert problem(f"{head}.{payload}.") is TokenProblem.SIGNATURE
    assert problem(f"{head}.{payload}.{base64url.encode(bytes(64))}") is TokenProblem.SIGNATURE


def test_a_token_has_one_spelling() -> None:
    head, payload, signature = token(CLAIMS).split(".")
    spellings = [
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}.{signature}\n",
        f" {head}.{payload}.{signature}",
        f"{head}.{payload}.{signature[:-1]}{'B' if signature[-1] != 'B' else 'C'}",
        f"{head}.{payload}\u00e4.{signature}",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.",
        "",
        "..",
        "." * 70_000,
        "A" * 70_000,
    ]
    assert {problem(text) for text in spellings} == {TokenProblem.MALFORMED}


@pytest.mark.parametrize(
    "header",
    ["", "[]", "null", "{", '{"alg":"EdDSA","alg":"none"}', '{"a":NaN}', '{"a":' * 5000, "\ud800".encode("utf-8", "replace").decode()],
)
def test_a_header_that_is_no_plain_json_object_is_refused(header: str) -> None:
    assert problem(raw(header, json.dumps(CLAIMS))) is TokenProblem.MALFORMED


@pytest.mark.parametrize("payload", ["", "[]", '"text"', '{"exp":1,"exp":9999999999}', '{"exp":Infinity}'])
def test_a_signed_payload_that_is_no_plain_json_object_is_refused(payload: str) -> None:
    header = json.dumps({"alg": "EdDSA", "kid": jwk(1).kid})
    assert problem(raw(header, payload)) is TokenProblem.MALFORMED
