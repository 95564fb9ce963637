"""A real Keycloak's keys move in, and a real Keycloak trusts tokens that are signed here, as docs/moving-in.md and docs/keycloak.md say.

Run by `pytest --keycloak`: it fetches 180 MB.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
from pytest_socket import enable_socket

from tests.processes import Service, service
from tests.servers.fixtures import made
from tests.servers.keycloak import Keycloak

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]
REALM: Final = "acme"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FETCHES_EVERY_SECONDS: Final = 10
"""Keycloak does not fetch a JWKS again sooner than this."""


@pytest.fixture(scope="module")
def keycloak() -> Iterator[Keycloak]:
    """A running Keycloak with the realm acme, in which Ada can sign in to the client web-app."""
    enable_socket()
    with made(Keycloak, "keycloak") as server:
        server.ask("POST", "", {"realm": REALM, "enabled": True, "sslRequired": "none"})
        server.ask("POST", f"/{REALM}/clients", {"clientId": "web-app", "publicClient": True, "directAccessGrantsEnabled": True})
        ada = {"username": "ada", "email": "ada@acme.example", "firstName": "Ada", "lastName": "L", "emailVerified": True, "enabled": True}
        server.ask("POST", f"/{REALM}/users", {**ada, "credentials": [{"type": "password", "value": "right", "temporary": False}]})
        yield server


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Service]:
    async with service(tmp_path / "data", outbound_allow="127.0.0.0/8") as running:
        await running.create(REALM)
        yield running


async def signed(here: Service, **claims: Any) -> str:
    """A token of the tenant's, for Keycloak."""
    answer = await here.post(f"/v1/tenants/{REALM}/tokens/sign", {"claims": {"exp": int(time.time()) + 60, **claims}})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


def kid(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def verified(token: str, document: dict[str, Any]) -> dict[str, Any]:
    """The claims, if the token verifies with one of these keys, as whoever trusts them finds."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
    claims: dict[str, Any] = jwt.decode(token, keys[kid(token)], algorithms=["RS256"], options={"verify_aud": False})
    return claims


async def trusting(keycloak: Keycloak, here: Service, alias: str, provider: str, **config: str) -> None:
    """Registers the tenant as an identity provider of the realm."""
    told = (await here.get(f"/t/{REALM}/.well-known/openid-configuration")).json()
    where = {"issuer": told["issuer"], "useJwksUrl": "true", "jwksUrl": told["jwks_uri"]}
    body = {"alias": alias, "providerId": provider, "enabled": True, "hideOnLogin": True, "config": {**where, **config}}
    keycloak.ask("POST", f"/{REALM}/identity-provider/instances", body)


async def until_accepted(keycloak: Keycloak, **form: str) -> httpx.Response:
    """What Keycloak answers once it has fetched the JWKS again."""
    answer = keycloak.token(REALM, **form)
    if answer.is_error:
        await asyncio.sleep(_FETCHES_EVERY_SECONDS + 1)  # its own limit; nothing tells when it is over
        answer = keycloak.token(REALM, **form)
    return answer


async def test_keycloak_lets_a_client_in_with_a_token_that_is_signed_here(keycloak: Keycloak, here: Service) -> None:
    unused = {"authorizationUrl": "https://unused.example", "tokenUrl": "https://unused.example", "clientId": "unused"}
    await trusting(keycloak, here, "tenantry", "oidc", validateSignature="true", supportsClientAssertions="true", **unused)
    attributes = {"jwt.credential.issuer": "tenantry", "jwt.credential.sub": "worker-7"}
    client = {"clientId": "worker", "serviceAccountsEnabled": True, "standardFlowEnabled": False, "publicClient": False}
    keycloak.ask("POST", f"/{REALM}/clients", {**client, "clientAuthenticatorType": "federated-jwt", "attributes": attributes})
    realm = f"{keycloak.url}/realms/{REALM}"

    def form(token: str) -> dict[str, str]:
        return {"grant_type": "client_credentials", "client_assertion_type": _ASSERTION, "client_assertion": token}

    token = await signed(here, sub="worker-7", aud=realm)
    answer = keycloak.token(REALM, **form(token))
    assert answer.status_code == 200, answer.text
    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["azp"] == "worker"
    assert keycloak.token(REALM, **form(token)).is_client_error, "an assertion is good for once"
    for wrong in ({"sub": "worker-8", "aud": realm}, {"sub": "worker-7", "aud": "https://other.example"}):
        assert keycloak.token(REALM, **form(await signed(here, **wrong))).is_client_error
    rotated = await here.post(f"/v1/tenants/{REALM}/keys/rotate", {"activate": True, "reason": "a test"})
    assert rotated.status_code == 200
    after = await signed(here, sub="worker-7", aud=realm)
    assert kid(after) == rotated.json()["active"] != kid(token)
    assert (await until_accepted(keycloak, **form(after))).status_code == 200
    stolen = await signed(here, sub="worker-7", aud=realm)
    assert (await here.post(f"/v1/tenants/{REALM}/keys/{kid(stolen)}/compromise", {"reason": "a test"})).status_code == 200
    keycloak.ask("POST", f"/{REALM}/clear-keys-cache")
    assert keycloak.token(REALM, **form(stolen)).is_client_error
    assert (await until_accepted(keycloak, **form(await signed(here, sub="worker-7", aud=realm)))).status_code == 200


async def test_keycloak_gives_its_own_token_for_a_users_token_that_is_signed_here(keycloak: Keycloak, here: Service) -> None:
    await trusting(keycloak, here, "tenantry-grant", "jwt-authorization-grant", jwtAuthorizationGrantEnabled="true")
    attributes = {"oauth2.jwt.authorization.grant.enabled": "true", "oauth2.jwt.authorization.grant.idp": "tenantry-grant"}
    secret = "only-for-this-test"
    keycloak.ask("POST", f"/{REALM}/clients", {"clientId": "portal", "secret": secret, "publicClient": False, "attributes": attributes})
    [ada] = keycloak.ask("GET", f"/{REALM}/users", username="ada")
    link = {"identityProvider": "tenantry-grant", "userId": "user-1", "userName": "ada"}
    keycloak.ask("POST", f"/{REALM}/users/{ada['id']}/federated-identity/tenantry-grant", link)
    realm = f"{keycloak.url}/realms/{REALM}"

    def form(token: str) -> dict[str, str]:
        return {"grant_type": _GRANT, "assertion": token, "client_id": "portal", "client_secret": secret}

    answer = keycloak.token(REALM, **form(await signed(here, sub="user-1", aud=realm)))
    assert answer.status_code == 200, answer.text
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["iss"]) == (ada["id"], realm)
    for wrong in ({"sub": "user-2", "aud": realm}, {"sub": "user-1", "aud": "https://other.example"}):
        assert keycloak.token(REALM, **form(await signed(here, **wrong))).is_client_error


async def test_a_realm_moves_in_with_its_keys(keycloak: Keycloak, here: Service, tmp_path: Path) -> None:
    certs = f"{keycloak.url}/realms/{REALM}/protocol/openid-connect/certs"
    theirs = (await asyncio.to_thread(httpx.get, certs)).json()
    answer = keycloak.token(REALM, grant_type="password", client_id="web-app", username="ada", password="right")
    token: str = answer.json()["access_token"]

    imported = await here.run("keys", "import", REALM, certs, "--publish-until", "now+7d", "--json")
    assert (imported.code, [key["kid"] for key in imported.json["keys"]]) == (0, [kid(token)])
    assert [one["reason"] for one in imported.json["skipped"]] == ["its use is 'enc', not 'sig'"]
    assert verified(token, (await here.get(f"/t/{REALM}/jwks.json")).json())["preferred_username"] == "ada"

    keycloak.stop()
    try:
        providers = (await asyncio.to_thread(keycloak.export, REALM))["components"]["org.keycloak.keys.KeyProvider"]
    finally:
        keycloak.launch()
    [private] = [one["config"]["privateKey"][0] for one in providers if one["providerId"] == "rsa-generated"]
    arguments = ("keys", "import", REALM, "-", "--private", "--known-since", "now-30d", "--json")
    adopted = await here.run(*arguments, stdin=private.encode())
    assert (adopted.code, adopted.json["outcome"], adopted.json["active"]) == (0, "activated", kid(token)), adopted.err
    ours = await signed(here, sub="user-1")
    assert kid(ours) == kid(token)
    assert verified(ours, theirs)["sub"] == "user-1", "whoever has Keycloak's keys in a cache takes what is signed here"
    assert verified(token, (await here.get(f"/t/{REALM}/jwks.json")).json())["preferred_username"] == "ada"
    keycloak.wait_until_ready()
