"""Private keys that were made elsewhere, as files have them."""

from __future__ import annotations

import base64
import json
import time
import traceback
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwk as jose_jwk

from keyvault import algorithms, base64url
from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.errors import InvalidImport
from keyvault.private_key import read_private_key

KEYS: dict[Algorithm, PrivateKey] = {algorithm: algorithms.generate(algorithm) for algorithm in Algorithm}


ODD: list[Any] = [[], {}, None, True, 7, -1.5, "", "\ud800", "\x00", "é", "A", "AA", "AQ", "Ag", "=", [[]]]


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    text: str = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    return text


def jwk(algorithm: Algorithm, **more: Any) -> dict[str, Any]:
    """As joserfc writes it."""
    kind = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "ES384": "EC", "EdDSA": "OKP"}[algorithm]
    return {**jose_jwk.import_key(pem(KEYS[algorithm]), kind).as_dict(private=True), **more}  # type: ignore[call-overload]


def without_primes() -> dict[str, Any]:
    return {name: value for name, value in jwk(Algorithm.RS256).items() if name not in {"p", "q", "dp", "dq", "qi"}}


def number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def der(tag: int, content: bytes) -> bytes:
    """An element in DER (X.690)."""
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, *([size] if size < 128 else [0x80 | len(long), *long])]) + content


@pytest.mark.parametrize("algorithm", Algorithm)
def test_pem_is_read_in_every_form(algorithm: Algorithm) -> None:
    key = KEYS[algorithm]
    forms = [PrivateFormat.PKCS8] + ([] if isinstance(key, ed25519.Ed25519PrivateKey) else [PrivateFormat.TraditionalOpenSSL])
    for form in forms:
        found = read_private_key(f"\n{pem(key, form)}")
        assert found.private.public_key() == key.public_key()
        assert found.kid is None
        assert found.algorithm is (None if isinstance(key, rsa.RSAPrivateKey) else algorithm), "RSA keys are used with more than one"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_jwk_is_read_with_its_kid_and_algorithm(algorithm: Algorithm) -> None:
    named = jwk(algorithm, kid="idp-1", alg=algorithm, use="sig")
    for form in (named, json.dumps(named), json.dumps({"keys": [named]})):
        found = read_private_key(form)
        assert (found.private.public_key(), found.kid, found.algorithm) == (KEYS[algorithm].public_key(), "idp-1", algorithm)
        assert found.public(algorithm, found.kid).kid == "idp-1"
    bare = read_private_key(jwk(algorithm))
    assert bare.kid is None
    assert bare.public(algorithm, None).kid == bare.thumbprint


def test_an_rsa_jwk_without_its_primes_is_read() -> None:
    found = read_private_key(without_primes())
    assert algorithms.sign(Algorithm.RS256, found.private, b"m") == algorithms.sign(Algorithm.RS256, KEYS[Algorithm.RS256], b"m")


@pytest.mark.parametrize("name", ["d", "p", "q"])
def test_a_number_that_is_larger_than_the_modulus_is_refused_before_it_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyvault.private_key._primes", None)
    with pytest.raises(InvalidImport, match="larger than its modulus"):
        read_private_key(without_primes() | {name: base64url.encode(b"\x01" + bytes(256))})


@pytest.mark.parametrize(
    ("n", "order"),
    [
        (2**2048 - 1_942_289, 2**2048 - 1_942_290),  # a prime, so no power of anything tells two factors apart
        ((17**502 - 1) // 16, 502 * 2**1000),  # d belongs to e for the powers of 17, and for those of no other number
    ],
    ids=["prime", "17"],
)
def test_numbers_that_belong_to_no_key_are_refused_soon(n: int, order: int) -> None:
    before = time.monotonic()
    with pytest.raises(InvalidImport, match="no private key"):
        read_private_key(without_primes() | {"n": number(n), "d": number(pow(65537, -1, order))})
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("bits", [2304, 8192])
def test_the_size_of_an_rsa_key_is_judged_before_it_is_checked(bits: int) -> None:
    """Its primes are none, which would take seconds to find out."""
    p = 2 ** (bits // 2) - 1
    n, e, d = p * p, 65537, 65537
    numbers = [0, n, e, d, p, p, d % (p - 1), d % (p - 1), 1]
    body = b"".join(der(2, one.to_bytes(one.bit_length() // 8 + 1, "big")) for one in numbers)
    encoded = base64.b64encode(der(0x30, body)).decode()
    for text in (encoded, f"-----BEGIN RSA PRIVATE KEY-----\n{encoded}\n-----END RSA PRIVATE KEY-----\n"):
        with pytest.raises(InvalidImport, match=f"2048, 3072 or 4096 bits here, not {bits}"):
            read_private_key(text)


def test_base64_of_der_is_read_as_keycloaks_exports_have_it() -> None:
    key = KEYS[Algorithm.RS256]
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert read_private_key(base64.b64encode(der).decode()).private.public_key() == key.public_key()


def test_neither_repr_nor_str_shows_it() -> None:
    found = read_private_key(jwk(Algorithm.ES256))
    assert "private" not in repr(found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no private key in a form that can be read"),
        ("hello", "no private key in a form that can be read"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key in a form that can be read"),
        ("{", "no private key in a form that can be read"),
        ('{"kty": "EC"}', "holds no private key"),
        ('{"kty": "oct", "k": "AAAA"}', "holds no private key"),
        ("A" * 20_001, "at most 20000 characters"),
        (pem(ed448.Ed448PrivateKey.generate()), "not RSA, EC or Ed25519"),
        (pem(dsa.generate_private_key(1024)), "not RSA, EC or Ed25519"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "another curve"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "2048, 3072 or 4096 bits"),
        (jwk(Algorithm.ES256, use="enc"), "its use is 'enc'"),
        (jwk(Algorithm.ES256, alg="ES384"), "not for ES384"),
        (jwk(Algorithm.ES256, d=jwk(Algorithm.EDDSA)["d"]), "do not belong together"),
        (jwk(Algorithm.RS256, d=5), "no private key in a form that can be read"),
        (jwk(Algorithm.RS256, p="AAAA"), "no private key in a form that can be read"),
        (jwk(Algorithm.RS256, p="AQ", q=jwk(Algorithm.RS256)["n"]), "no private key in a form that can be read"),
        (jwk(Algorithm.RS256, q="A" * 20_001), "at most 20000 characters"),
        (jwk(Algorithm.RS256, oth=[{}]), "more than two primes"),
    ],
)
def test_what_can_not_be_read_is_refused(text: Any, problem: str) -> None:
    with pytest.raises(InvalidImport, match=problem):
        read_private_key(text)


@pytest.mark.parametrize(
    "text", ['{"keys": ["x"]}', '{"keys": [[]]}', '{"keys": [null]}', '{"keys": {}}', '{"kty": []}', '{"kty": {}, "d": "AA"}']
)
def test_odd_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidImport, match="holds no private key"):
        read_private_key(text)


@pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.ES256, Algorithm.EDDSA])
def test_a_member_of_any_odd_value_is_refused_or_of_no_use(algorithm: Algorithm) -> None:
    good = jwk(algorithm)
    for name in {*good, "alg", "use", "kid", "oth"} - {"dp", "dq", "qi"}:
        for odd in ODD:
            with suppress(InvalidImport):
                assert read_private_key({**good, name: odd}).private.public_key() == KEYS[algorithm].public_key(), (name, odd)


def test_an_encrypted_key_is_to_be_decrypted_first() -> None:
    key = KEYS[Algorithm.ES256]
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")).decode()
    assert isinstance(load_pem_private_key(text.encode(), b"pass"), ec.EllipticCurvePrivateKey)
    with pytest.raises(InvalidImport, match="openssl pkey"):
        read_private_key(text)


def test_no_error_has_the_key_in_its_message_or_in_what_it_came_from() -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    for text in (
        f'{{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "{secret}"',
        {**jwk(Algorithm.ES256), "d": secret},
        f"-----BEGIN {secret}",
    ):
        with pytest.raises(InvalidImport) as refused:
            read_private_key(text)
        error = refused.value
        assert error.__cause__ is None
        assert error.__context__ is None
        assert secret not in "".join(traceback.format_exception(error))
