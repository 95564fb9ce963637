"""Relying parties that read the live JWKS over HTTP verify what was signed before a rotation, during it and after it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import jwt
import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from tests.processes import Service, service

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def signed(here: Service, subject: str) -> str:
    answer = await here.post("/v1/tenants/acme/tokens/sign", {"claims": {"sub": subject, "aud": "web-app"}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def by_pyjwt(client: jwt.PyJWKClient, token: str, issuer: str) -> str:
    """The subject, if the token verifies."""
    key = client.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256", "ES256"], audience="web-app", issuer=issuer)
    return str(claims["sub"])


def by_joserfc(document: dict[str, list[dict[str, str]]], token: str) -> str:
    """The subject, if the token verifies."""
    return str(jose.decode(token, KeySet.import_key_set(document), algorithms=["RS256", "ES256"]).claims["sub"])  # type: ignore[arg-type]


async def test_tokens_signed_before_a_rotation_verify_after_it(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        url = f"{here.url}/t/acme/jwks.json"
        async with httpx.AsyncClient() as relying_party:
            discovery = (await relying_party.get(f"{here.url}/t/acme/.well-known/openid-configuration")).json()
        assert discovery["jwks_uri"] == url
        cached = jwt.PyJWKClient(url, cooldown_duration=0)  # keeps the JWKS, and refetches it at an unknown `kid`
        tokens = {"before": await signed(here, "before")}
        assert await asyncio.to_thread(by_pyjwt, cached, tokens["before"], discovery["issuer"]) == "before"
        for number in range(2):
            assert (await here.run("keys", "rotate", "acme", "--activate", "--reason", "a test")).code == 0
            tokens[f"after-{number}"] = await signed(here, f"after-{number}")
        answer = await here.ask("PUT", "/v1/tenants/acme/keys/policy", json={"algorithm": "ES256"})
        assert answer.status_code == 200, answer.text
        assert (await here.run("keys", "rotate", "acme", "--activate", "--reason", "a test")).code == 0
        tokens["es256"] = await signed(here, "es256")
        assert len({jwt.get_unverified_header(token)["kid"] for token in tokens.values()}) == len(tokens)
        assert jwt.get_unverified_header(tokens["es256"])["alg"] == "ES256"
        fresh = jwt.PyJWKClient(url, cache_keys=False)
        for subject, token in tokens.items():
            for client in (cached, fresh):
                assert await asyncio.to_thread(by_pyjwt, client, token, discovery["issuer"]) == subject
            assert by_joserfc((await here.get("/t/acme/jwks.json")).json(), token) == subject


async def test_tokens_verify_after_a_restart(tmp_path: Path) -> None:
    async with service(tmp_path / "data", public_url="https://id.example") as here:
        await here.create("acme")
        token = await signed(here, "before")
        await here.kill()
        await here.start()
        client = jwt.PyJWKClient(f"{here.url}/t/acme/jwks.json")
        assert await asyncio.to_thread(by_pyjwt, client, token, "https://id.example/t/acme") == "before"
        assert by_joserfc((await here.get("/t/acme/jwks.json")).json(), token) == "before"
