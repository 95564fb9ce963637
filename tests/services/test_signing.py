"""Signing over HTTP: one token, batches, who may, and what is refused. A key that leaks meanwhile is in test_attacks.py."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from streams.event import iso
from tests.platforms import Site

PATH = "/v1/tenants/acme/tokens/sign"


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def asked(here: Site, body: Any, status: int = 200) -> dict[str, Any]:
    answer = await here.operator.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said: dict[str, Any] = answer.json()
    return said


async def verified(here: Site, signed: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token that verifies against the JWKS; what was said of it is true."""
    keys = jwt.PyJWKSet.from_dict((await here.client(None).get("/t/acme/jwks.json")).json())
    algorithm = jwt.get_unverified_header(signed["token"])["alg"]
    claims: dict[str, Any] = jwt.decode(signed["token"], keys[signed["kid"]], algorithms=[algorithm], options={"verify_aud": False})
    assert signed["expires_at"] == iso(claims["exp"] * 1000)
    return claims


async def test_a_token_comes_with_its_kid_and_its_end(acme: Site) -> None:
    signed = await asked(acme, {"claims": {"sub": "ada", "aud": "shop"}})
    assert (await verified(acme, signed))["sub"] == "ada"
    active = acme.platform.rings.of("acme").active
    assert active is not None
    assert signed["kid"] == active.kid


async def test_a_batch_is_answered_in_its_order(acme: Site) -> None:
    tokens = (await asked(acme, {"batch": [{"sub": f"user-{number}"} for number in range(100)]}))["tokens"]
    claims = [await verified(acme, one) for one in tokens]
    assert [one["sub"] for one in claims] == [f"user-{number}" for number in range(100)]
    assert len({one["jti"] for one in claims}) == 100


async def test_what_is_wrong_in_a_batch_names_whose_it_is_and_nothing_is_signed(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acme.platform.store, "sign", None)
    said = await asked(acme, {"batch": [{"sub": "ada"}, {"sub": "bob"}, {"sub": "eve", "exp": 1}]}, 400)
    assert said["type"].endswith("invalid-claims")
    assert said["index"] == 2
    assert said["detail"] == "batch[2]: claim 'exp' must be in the future"
    said = await asked(acme, {"claims": {"exp": 1}}, 400)
    assert said["detail"] == "claim 'exp' must be in the future"
    assert "index" not in said


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "give `claims` for one token, or `batch` for several"),
        ({"claims": {}, "batch": [{}]}, "give `claims` for one token, or `batch` for several"),
        ({"batch": []}, "at least 1"),
        ({"batch": [{}] * 101}, "at most 100"),
        ({"batch": [{}, "ada"]}, "body.batch.1"),
        ({"claims": {}, "kid": "mine"}, "body.kid"),
    ],
)
async def test_a_body_that_is_not_right_is_refused(acme: Site, body: Any, why: str) -> None:
    assert why in (await asked(acme, body, 400))["detail"]


async def test_a_batch_may_have_two_kilobytes_a_token_and_not_much_more(acme: Site) -> None:
    assert len((await asked(acme, {"batch": [{"x": "x" * 2048}] * 100}))["tokens"]) == 100
    await asked(acme, {"batch": [{"x": "x" * 3072}] * 100}, 413)


async def test_it_takes_the_tenants_token_with_the_scope(acme: Site) -> None:
    body = {"batch": [{"sub": "ada"}]}
    assert (await acme.client(None).post(PATH, json=body)).status_code == 401
    assert (await (await acme.token("acme", "keys:read")).post(PATH, json=body)).status_code == 403
    signer = await acme.token("acme", "tokens:sign")
    assert (await signer.post(PATH, json=body)).status_code == 200
    await acme.create("globex")
    assert (await signer.post("/v1/tenants/globex/tokens/sign", json=body)).status_code == 404
