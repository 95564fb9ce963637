"""The signature algorithms do what JWS says, by the RFCs' own examples."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from keyvault import algorithms, base64url
from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_was_signed_verifies_and_nothing_else_does(algorithm: Algorithm) -> None:
    key = algorithms.generate(algorithm)
    signature = algorithms.sign(algorithm, key, b"message")
    public = key.public_key()
    assert algorithms.fits(algorithm, key)
    assert algorithms.verify(algorithm, public, b"message", signature)
    assert not algorithms.verify(algorithm, public, b"massage", signature)
    assert not algorithms.verify(algorithm, public, b"message", signature[:-1])
    assert not algorithms.verify(algorithm, public, b"message", b"")
    assert not algorithms.verify(algorithm, public, b"message", bytes(len(signature)))
    assert not algorithms.verify(algorithm, algorithms.generate(algorithm).public_key(), b"message", signature)


@pytest.mark.parametrize(("algorithm", "size"), [(Algorithm.ES256, 64), (Algorithm.ES384, 96), (Algorithm.EDDSA, 64)])
def test_signatures_have_a_fixed_length(algorithm: Algorithm, size: int) -> None:
    key = algorithms.generate(algorithm)
    assert {len(algorithms.sign(algorithm, key, bytes([n]))) for n in range(50)} == {size}


def test_a_der_signature_is_none_of_jws() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert not algorithms.verify(Algorithm.ES256, key.public_key(), b"message", key.sign(b"message", ec.ECDSA(hashes.SHA256())))


@pytest.mark.parametrize(("algorithm", "other"), [("RS256", "ES256"), ("ES256", "ES384"), ("ES384", "ES256"), ("EdDSA", "RS256")])
def test_a_key_of_another_type_or_curve_is_refused(algorithm: str, other: str) -> None:
    key = algorithms.generate(Algorithm(other))
    with pytest.raises(ValueError, match=algorithm):
        algorithms.sign(Algorithm(algorithm), key, b"message")
    with pytest.raises(ValueError, match=algorithm):
        algorithms.verify(Algorithm(algorithm), key.public_key(), b"message", b"")


def test_rs256_and_ps256_signatures_are_not_interchangeable() -> None:
    key = algorithms.generate(Algorithm.RS256)
    assert not algorithms.verify(Algorithm.PS256, key.public_key(), b"message", algorithms.sign(Algorithm.RS256, key, b"message"))


def test_the_es256_example_of_rfc_7515_appendix_a_3() -> None:
    jwk = PublicJwk.from_dict(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    message = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    assert algorithms.verify(Algorithm.ES256, jwk.public_key(), message, base64url.decode(signature))


def test_the_ed25519_example_of_rfc_8037_appendix_a_4() -> None:
    jwk = PublicJwk.from_dict({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert algorithms.verify(Algorithm.EDDSA, jwk.public_key(), message, base64url.decode(signature))
