"""JWK sets: one encoding, a strong tag, and a tolerant but clear reader."""

from __future__ import annotations

import json

import pytest

from keyvault.errors import InvalidJwks
from keyvault.jwks import Jwks
from tests.keyvault.made import jwk


def test_the_same_keys_have_the_same_bytes_and_tag() -> None:
    one, other = Jwks.of([jwk(1), jwk(2)]), Jwks.of([jwk(1), jwk(2)])
    assert (one.body, one.etag) == (other.body, other.etag)
    assert Jwks.of([jwk(1)]).etag != one.etag
    assert one.etag.startswith('"')
    assert one.etag.endswith('"')
    assert json.loads(one.body) == {"keys": [jwk(1).to_dict(), jwk(2).to_dict()]}


def test_a_key_is_found_by_its_kid() -> None:
    jwks = Jwks.of([jwk(1), jwk(2)])
    assert jwks.find(jwk(2).kid) == jwk(2)
    assert jwks.find("other") is None


def test_what_was_written_is_read() -> None:
    jwks = Jwks.of([jwk(1), jwk(2)])
    assert Jwks.parse(jwks.body) == jwks
    assert Jwks.parse(json.loads(jwks.body)) == jwks
    assert Jwks.parse('{"keys":[]}') == Jwks.of([])


def test_keys_for_other_purposes_are_skipped() -> None:
    document = {"keys": [{"kty": "oct", "k": "AAAA"}, {**jwk(1).to_dict(), "use": "enc"}, {"kty": "AKP"}, jwk(2).to_dict()]}
    assert Jwks.parse(document).keys == (jwk(2),)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "not JSON"),
        (b"\xff\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "member 'keys'"),
        ("{}", "member 'keys'"),
        ('{"keys":{}}', "member 'keys'"),
        ('{"keys":[1]}', r"keys\[0\] is not an object"),
        ('{"keys":[{"kty":"EC","kid":"bad","crv":"P-256"}]}', r"keys\[0\] \(kid 'bad'\): .*'x'"),
        (b" " * 1_000_001, "at most"),
        ({"keys": [jwk(1).to_dict(), jwk(1).to_dict()]}, "same kid"),
    ],
)
def test_what_is_no_jwk_set_is_refused(document: bytes | str | dict[str, object], message: str) -> None:
    with pytest.raises(InvalidJwks, match=message):
        Jwks.parse(document)
