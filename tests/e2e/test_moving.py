"""Moving in and out on the command line, as docs/moving-in.md says it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from tests.processes import Service, service

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with service(tmp_path_factory.mktemp("moving") / "data") as running:
        yield running


@pytest.fixture
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwks(private: rsa.RSAPrivateKey, kid: str) -> bytes:
    encryption = {"kty": "RSA", "kid": "enc", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"}
    return json.dumps({"keys": [PublicJwk.from_public_key(private.public_key(), Algorithm.RS256, kid).to_dict(), encryption]}).encode()


def pem(private: rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


async def active(here: Service, tenant: str) -> dict[str, Any]:
    [key] = [key for key in (await here.run("keys", "list", tenant, "--json")).json["keys"] if key["state"] == "active"]
    return dict(key)


async def test_public_keys_come_from_a_file_or_the_standard_input(here: Service, private: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    await here.create("public")
    (file := tmp_path / "jwks.json").write_bytes(jwks(private, "old-1"))
    ran = await here.run("keys", "import", "public", str(file), "--publish-until", "now+7d")
    assert (ran.code, ran.err) == (0, "")
    assert "old-1" in ran.out
    assert "left out: enc: its use is 'enc', not 'sig'" in ran.out
    again = await here.run("keys", "import", "public", "-", "--publish-until", "now+7d", "--json", stdin=jwks(private, "old-1"))
    assert again.json["outcome"] in {"unchanged", "imported"}, "the end may be a little later"
    exported = (await here.run("keys", "export", "public")).json
    assert exported == (await here.get("/t/public/jwks.json")).json()
    assert [key["kid"] for key in exported["keys"]][-1] == "old-1"
    text = (await here.run("keys", "export", "public", "--pem")).out
    assert load_pem_public_key(text.rpartition("# kid: ")[2].partition("\n")[2].encode()) == private.public_key()


async def test_a_private_key_comes_by_the_standard_input_and_signs(here: Service, private: rsa.RSAPrivateKey) -> None:
    await here.create("adopting")
    await here.run("keys", "import", "adopting", "-", "--publish-until", "now+7d", stdin=jwks(private, "old-1"))
    ran = await here.run("keys", "import", "adopting", "-", "--private", "--known-since", "2026-01-01", "--json", stdin=pem(private))
    assert (ran.code, ran.json["outcome"], ran.json["active"]) == (0, "activated", "old-1")
    token = (await here.post("/v1/tenants/adopting/tokens/sign", {"claims": {"sub": "ada"}})).json()["token"]
    assert jwt.decode(token, private.public_key(), algorithms=["RS256"])["sub"] == "ada"
    assert jwt.get_unverified_header(token)["kid"] == "old-1"


async def test_a_private_key_that_nobody_has_seen_waits_and_says_so(here: Service, private: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    await here.create("waiting")
    (file := tmp_path / "key.pem").write_bytes(pem(private))
    ran = await here.run("keys", "import", "waiting", str(file), "--private", "--kid", "old-1")
    assert ran.code == 0
    assert "outcome: waiting" in ran.out
    assert "--known-since TIME" in ran.out
    assert (await active(here, "waiting"))["kid"] != "old-1"
    ran = await here.run("keys", "import", "waiting", str(file), "--private", "--activate", "--reason", "tonight")
    assert "warning: " in ran.out
    assert (await active(here, "waiting"))["kid"] == "old-1"


@pytest.mark.parametrize(
    ("arguments", "stdin", "problem"),
    [
        (["-"], b"{}", "need --publish-until"),
        (["-", "--publish-until", "now+7d"], b"{}", "a JWK set is an object"),
        (["-", "--publish-until", "now+7d"], b"not json", "is not JSON"),
        (["-", "--publish-until", "now+7d"], b"[]", "is no JWK set"),
        (["-", "--publish-until", "now+7d", "--kid", "x"], b"{}", "go with --private"),
        (["/nowhere", "--publish-until", "now+7d"], b"", "can't be read"),
        (["https://127.0.0.1:1/certs", "--publish-until", "now+7d"], b"", "TENANTRY_OUTBOUND_ALLOW"),
        (["https://idp.example/key.pem", "--private"], b"", "not fetched from a URL"),
        (["-", "--private", "--publish-until", "now+7d"], b"", "is for public keys"),
        (["-", "--private", "--activate"], b"", "needs --reason"),
        (["-", "--private"], b"hello", "no private key in a form that can be read"),
    ],
)
async def test_what_is_not_asked_rightly_is_refused_in_one_line(here: Service, arguments: list[str], stdin: bytes, problem: str) -> None:
    await here.create("refused")
    ran = await here.run("keys", "import", "refused", *arguments, stdin=stdin)
    assert (ran.code, ran.out) == (1, "")
    assert problem in ran.err
    assert len(ran.err.splitlines()) == 1


async def test_a_kid_that_looks_like_an_option_is_none(here: Service, private: rsa.RSAPrivateKey) -> None:
    await here.create("dashed")
    await here.run("keys", "import", "dashed", "-", "--publish-until", "now+7d", stdin=jwks(private, "-hNzb_s"))
    radius = await here.run("keys", "blast-radius", "dashed", "-hNzb_s", "--json")
    assert radius.json["kid"] == "-hNzb_s", radius.err
    ran = await here.run("keys", "compromise", "dashed", "-hNzb_s", "--reason", "a test", "--json")
    assert ran.json["state"] == "compromised", ran.err


@pytest.mark.parametrize("kid", ["a/b+c=?#%", "..", "-x", "-hash", "--reason"])
async def test_whatever_its_kid_is_it_can_be_reported(here: Service, private: rsa.RSAPrivateKey, kid: str) -> None:
    await here.create("named")
    await here.run("keys", "import", "named", "-", "--publish-until", "now+7d", stdin=jwks(private, kid))
    radius = await here.run("keys", "blast-radius", "named", "--json", "--", kid)
    assert radius.json["kid"] == kid, radius.err
    ran = await here.run("keys", "compromise", "named", "--reason", "the old IDP was broken into", "--json", "--", kid)
    assert ran.json["state"] == "compromised", ran.err
