"""What the service sets in the claims, and what it refuses to sign."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault import claims as rules
from keyvault.durations import MINUTE, SECOND
from keyvault.errors import InvalidClaims
from tests.keyvault.made import NOW, with_policy

ISSUER = "https://id.example/t/acme"
POLICY = with_policy(max_token_lifetime=10 * MINUTE, clock_skew=5 * SECOND)
SECONDS = NOW // 1000


def complete(claims: object) -> dict[str, Any]:
    text, expires_at = rules.complete(claims, issuer=ISSUER, policy=POLICY, now=NOW + 999, jti="made-up")
    completed: dict[str, Any] = json.loads(text)
    assert expires_at == completed["exp"] * 1000
    return completed


def test_the_service_sets_what_bounds_the_token() -> None:
    assert complete({"sub": "ada", "aud": "web"}) == {
        "sub": "ada",
        "aud": "web",
        "iss": ISSUER,
        "iat": SECONDS,
        "exp": SECONDS + 600,
        "jti": "made-up",
    }


def test_claims_may_say_the_same_and_shorten_the_life() -> None:
    given_claims = {"iss": ISSUER, "iat": SECONDS - 2, "nbf": SECONDS + 1, "exp": SECONDS + 60, "jti": "mine", "aud": ["a", "b"]}
    assert complete(given_claims) == given_claims
    assert complete({"iat": SECONDS + 5})["iat"] == SECONDS  # a clock that is ahead: not into the future
    assert complete({"exp": SECONDS + 60.9})["exp"] == SECONDS + 60


DEEP: list[Any] = []
for _ in range(40):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("claims", "claim", "problem"),
    [
        (None, None, "JSON object"),
        ([], None, "JSON object"),
        ("text", None, "JSON object"),
        ({1: 2}, None, "JSON object"),
        ({"iss": "https://evil.example"}, "iss", "must be 'https://id.example/t/acme'"),
        ({"iss": None}, "iss", "must be"),
        ({"exp": SECONDS + 601}, "exp", "at most 600 seconds"),
        ({"exp": SECONDS}, "exp", "in the future"),
        ({"exp": "soon"}, "exp", "number of seconds"),
        ({"exp": True}, "exp", "number of seconds"),
        ({"exp": float("nan")}, "exp", "number of seconds"),
        ({"exp": float("inf")}, "exp", "number of seconds"),
        ({"exp": 10**400}, "exp", "number of seconds"),
        ({"exp": None}, "exp", "number of seconds"),
        ({"iat": SECONDS - 6}, "iat", "must be now"),
        ({"iat": SECONDS + 6}, "iat", "must be now"),
        ({"nbf": SECONDS + 600}, "nbf", "before 'exp'"),
        ({"nbf": -1}, "nbf", "number of seconds"),
        ({"nbf": "x"}, "nbf", "number of seconds"),
        ({"jti": ""}, "jti", "1 to 256"),
        ({"jti": 5}, "jti", "1 to 256"),
        ({"sub": 5}, "sub", "string"),
        ({"aud": [1]}, "aud", "array of strings"),
        ({"aud": {"a": 1}}, "aud", "array of strings"),
        ({"score": float("nan")}, "score", "JSON"),
        ({"score": {"deep": [float("-inf")]}}, "score", "JSON"),
        ({"name": "\ud800"}, "name", "JSON"),
        ({"\udfff": 1}, "\udfff", "JSON"),
        ({"what": object()}, "what", "JSON"),
        ({"what": b"bytes"}, "what", "JSON"),
        ({"deep": DEEP}, "deep", "32 levels"),
        ({"long": "x" * 16_384}, "long", "16384 bytes"),
        ({"a": "ä" * 5000, "b": "ä" * 5000}, "b", "16384 bytes"),
    ],
)
def test_what_is_refused_is_named(claims: object, claim: str | None, problem: str) -> None:
    with pytest.raises(InvalidClaims, match=problem) as raised:
        complete(claims)
    assert raised.value.claim == claim


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["iss", "iat", "exp", "nbf", "jti", "sub", "aud", "x"]), JSON, max_size=4))
def test_whatever_comes_is_bounded_or_refused(claims: dict[str, Any]) -> None:
    try:
        completed = complete(claims)
    except InvalidClaims:
        return
    assert completed["iss"] == ISSUER
    assert SECONDS - 5 <= completed["iat"] <= SECONDS < completed["exp"] <= SECONDS + 600
    assert completed["jti"]
    assert all(completed[name] == claims[name] for name in {"sub", "aud", "x"} & claims.keys())


@pytest.mark.parametrize("more", [{}, {"huge": 10**30}], ids=["plain", "with a number of more than 64 bits"])
def test_the_longest_claims_are_just_as_long_however_they_are_written(more: dict[str, Any]) -> None:
    def text(size: int) -> bytes:
        return rules.complete({**more, "x": "x" * size}, issuer=ISSUER, policy=POLICY, now=NOW, jti="made-up")[0]

    most = rules.MAX_BYTES - len(text(0))
    assert len(text(most)) == rules.MAX_BYTES
    with pytest.raises(InvalidClaims, match="16384 bytes"):
        text(most + 1)
    assert json.loads(text(0)).items() >= more.items()
