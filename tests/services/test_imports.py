"""Keys from elsewhere over HTTP: published, adopted, exported, and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key
from structlog.testing import capture_logs

from keyvault import algorithms, jws
from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from keyvault.jwks import Jwks
from streams.event import iso
from tests import engines
from tests.keyvault.test_recorded_tokens import realms, tokens
from tests.platforms import Site, site
from tests.services.notices.receiver import Receiver, answer, receiving

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def acme(tmp_path: Path) -> AsyncIterator[Site]:
    """A platform that may call this machine."""
    async with site(tmp_path / "data", outbound_allow="127.0.0.0/8") as running:
        await running.create("acme")
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(private: algorithms.PrivateKey, kid: str = "idp-1", algorithm: Algorithm = Algorithm.RS256) -> dict[str, str]:
    return PublicJwk.from_public_key(private.public_key(), algorithm, kid).to_dict()


def pem(private: algorithms.PrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def contents(folder: Path) -> list[bytes]:
    """Of all its files."""
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


async def jwks(here: Site, tenant: str = "acme") -> dict[str, Any]:
    found: dict[str, Any] = (await here.client(None).get(f"/t/{tenant}/jwks.json")).json()
    return found


async def post(here: Site, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    answered = await here.operator.post(f"/v1/tenants/acme/keys/{path}", json=body, headers=headers)
    return answered.status_code, answered.json()


async def signed(here: Site) -> str:
    answered = await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"sub": "ada"}})
    assert answered.status_code == 200, answered.text
    token: str = answered.json()["token"]
    return token


async def test_all_recorded_keycloak_tokens_verify_once_its_keys_are_imported(here: Site) -> None:
    for realm, recorded in realms().items():
        await here.create(realm)
        await here.operator.put(f"/v1/tenants/{realm}/keys/policy", json={"max_published_keys": 10})
        for phase in recorded["phases"]:
            body = {"jwks": phase["jwks"], "publish_until": "now+7d"}
            answered = await here.operator.post(f"/v1/tenants/{realm}/keys/import", json=body)
            assert answered.status_code == 200, answered.text
            assert {one["reason"] for one in answered.json()["skipped"]} == {"its use is 'enc', not 'sig'"}
        published = Jwks.parse(await jwks(here, realm))
        issued = [token for phase in recorded["phases"] for token in tokens(phase)]
        assert len(issued) > 15
        for token in issued:
            assert jws.verify(token.text, published, now=token.moment, issuer=recorded["issuer"])["iss"] == recorded["issuer"]


async def test_an_imported_key_is_published_and_listed_and_signs_nothing(acme: Site, private: rsa.RSAPrivateKey) -> None:
    status, said = await post(acme, "import", {"jwks": {"keys": [public(private)]}, "publish_until": "now+7d"})
    assert (status, said["outcome"], said["skipped"]) == (200, "imported", [])
    [key] = said["keys"]
    assert (key["kid"], key["state"], key["imported"], key["in_key_store"]) == ("idp-1", "deactivated", True, False)
    assert (await jwks(acme))["keys"][-1] == public(private)
    assert jwt.get_unverified_header(await signed(acme))["kid"] != "idp-1"
    listed = (await acme.operator.get("/v1/tenants/acme/keys")).json()["keys"]
    assert [key["kid"] for key in listed][-1] == "idp-1"
    again = await post(acme, "import", {"jwks": public(private), "publish_until": "now+6d"})
    assert (again[0], again[1]["outcome"]) == (200, "unchanged")


async def test_the_past_jwks_does_not_have_it(acme: Site, private: rsa.RSAPrivateKey) -> None:
    await post(acme, "import", {"jwks": public(private), "publish_until": "now+7d"})
    since = acme.platform.rings.of("acme").find("idp-1").published_at
    for time, there in ((since - 1, False), (since, True)):
        past = await acme.operator.get("/t/acme/jwks.json", params={"at": iso(time)})
        assert ("idp-1" in past.text) == there


async def test_keys_are_fetched_from_a_url(acme: Site, receiver: Receiver, private: rsa.RSAPrivateKey) -> None:
    receiver.on("/certs", answer(200, json.dumps({"keys": [public(private), {"kty": "oct", "kid": "x", "use": "enc"}]}).encode()))
    receiver.on("/moved", answer(302, b"", "Location: /certs"))
    for path in ("/certs", "/moved"):
        status, said = await post(acme, "import", {"url": receiver.url(path), "publish_until": "now+7d"})
        assert status == 200, said
        assert [key["kid"] for key in said["keys"]] == ["idp-1"]
    assert "application/jwk-set+json" in receiver.got[0].headers["accept"]


@pytest.mark.parametrize(
    ("status", "body", "slug"),
    [
        (404, b"{}", "address-answer"),
        (200, b"<html>", "invalid-import"),
        (200, b'{"keys": []}', "invalid-import"),
        (200, b'{"keys": [' + b" " * 1_000_001, "address-answer"),
    ],
)
async def test_a_url_without_a_jwks_is_refused(acme: Site, receiver: Receiver, status: int, body: bytes, slug: str) -> None:
    receiver.on("/certs", answer(status, body))
    refused, said = await post(acme, "import", {"url": receiver.url("/certs"), "publish_until": "now+7d"})
    assert (refused >= 400, said["type"].rpartition("/")[2]) == (True, slug)
    assert receiver.url("/certs") not in said["detail"]


async def test_this_machine_is_not_called_unless_the_operator_allows_it(here: Site, receiver: Receiver) -> None:
    await here.create("acme")
    status, said = await post(here, "import", {"url": receiver.url("/certs"), "publish_until": "now+7d"})
    assert (status, said["type"].rpartition("/")[2]) == (400, "address-refused")
    assert receiver.got == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"publish_until": "now+7d"}, 400),
        ({"jwks": {"keys": []}, "url": "https://idp.example", "publish_until": "now+7d"}, 400),
        ({"jwks": {"keys": []}}, 400),
        ({"jwks": {"keys": []}, "publish_until": "tomorrow"}, 400),
        ({"jwks": {"keys": []}, "publish_until": "now+7d", "sign": True}, 400),
    ],
)
async def test_what_is_not_asked_rightly_is_refused(acme: Site, body: dict[str, Any], status: int) -> None:
    assert (await post(acme, "import", body))[0] == status


async def test_conflicts_and_limits_are_refused_as_a_whole(acme: Site, private: rsa.RSAPrivateKey) -> None:
    active = (await jwks(acme))["keys"][0]["kid"]
    others = [public(ec.generate_private_key(ec.SECP256R1()), f"idp-{n}", Algorithm.ES256) for n in range(2, 6)]
    before = await jwks(acme)
    for keys, until, slug in (
        ([public(private), {**others[0], "kid": "idp-1"}], "now+7d", "invalid-import"),
        ([others[0], public(private, active)], "now+7d", "wrong-key-state"),
        ([public(private)], "now+400d", "invalid-import"),
        (others, "now+7d", "too-many-keys"),
    ):
        status, said = await post(acme, "import", {"jwks": {"keys": keys}, "publish_until": until})
        assert (status in {400, 409}, said["type"].rpartition("/")[2]) == (True, slug), said
        assert await jwks(acme) == before


async def test_who_may_rotate_only_may_not_import(acme: Site, private: rsa.RSAPrivateKey) -> None:
    body = {"jwks": public(private), "publish_until": "now+7d"}
    for scopes in (["keys:rotate", "keys:revoke"], ["tenant:admin"]):
        client = await acme.token("acme", *scopes)
        assert (await client.post("/v1/tenants/acme/keys/import", json=body)).status_code == 403
        assert (await client.post("/v1/tenants/acme/keys/adopt", json={"private_key": pem(private)})).status_code == 403
    client = await acme.token("acme", "keys:rotate", "tenant:admin")
    assert (await client.post("/v1/tenants/globex/keys/import", json=body)).status_code == 404
    assert (await client.post("/v1/tenants/acme/keys/import", json=body)).status_code == 200
    assert (await acme.client(None).post("/v1/tenants/acme/keys/import", json=body)).status_code == 401


async def test_a_compromised_imported_key_leaves_at_once(acme: Site, private: rsa.RSAPrivateKey) -> None:
    await post(acme, "import", {"jwks": public(private), "publish_until": "now+7d"})
    status, _ = await post(acme, "idp-1/compromise", {"reason": "the old IDP was broken into"})
    assert status == 200
    assert "idp-1" not in str(await jwks(acme))
    status, said = await post(acme, "import", {"jwks": public(private), "publish_until": "now+7d"})
    assert (status, said["type"].rpartition("/")[2]) == (409, "wrong-key-state")


@pytest.mark.parametrize("kid", ["a/b+c=?#%", "a/compromise", "approvals", "a/approvals/b/approve"])
async def test_whatever_its_kid_is_it_can_be_asked_for_and_reported(acme: Site, private: rsa.RSAPrivateKey, kid: str) -> None:
    await post(acme, "import", {"jwks": public(private, kid), "publish_until": "now+7d"})
    path = f"/v1/tenants/acme/keys/{quote(kid, safe='')}"
    for what in ("usage", "blast-radius"):
        answered = await acme.operator.get(f"{path}/{what}")
        assert (answered.status_code, answered.json().get("kid")) == (200, kid), answered.text
    refused = (await acme.operator.get(f"{path}/readiness")).json()
    assert refused["type"].rpartition("/")[2] == "wrong-key-state"
    for what, slug in (("activate", "wrong-key-state"), ("destroy", "wrong-key-state")):
        assert (await acme.operator.post(f"{path}/{what}")).json()["type"].rpartition("/")[2] == slug
    assert (await acme.operator.post(f"{path}/compromise", json={"reason": "the old IDP was broken into"})).status_code == 200
    assert kid not in {key["kid"] for key in (await jwks(acme))["keys"]}


async def test_an_adopted_key_that_is_known_signs_at_once_under_its_kid(acme: Site, private: rsa.RSAPrivateKey) -> None:
    old = await signed(acme)
    status, said = await post(acme, "adopt", {"private_key": pem(private), "kid": "idp-1", "known_since": LONG_AGO})
    assert (status, said["outcome"], said["active"], said["state"]) == (200, "activated", "idp-1", "active")
    token = await signed(acme)
    assert jwt.get_unverified_header(token)["kid"] == "idp-1"
    assert jwt.decode(token, private.public_key(), algorithms=["RS256"])["sub"] == "ada"
    published = Jwks.parse(await jwks(acme))
    for one in (old, token):
        jws.verify(one, published, now=acme.platform.now())
    before = (await acme.operator.get("/v1/tenants/acme/keys")).json()
    status, said = await post(acme, "adopt", {"private_key": pem(private)})
    assert (status, said["outcome"], said["kid"]) == (200, "unchanged", "idp-1")
    assert (await acme.operator.get("/v1/tenants/acme/keys")).json() == before


async def test_a_key_whose_public_half_was_imported_keeps_its_name(acme: Site, private: rsa.RSAPrivateKey) -> None:
    await post(acme, "import", {"jwks": public(private, "EZv0"), "publish_until": "now+7d"})
    status, said = await post(acme, "adopt", {"private_key": pem(private)})
    assert (status, said["outcome"], said["kid"], said["state"]) == (200, "waiting", "EZv0", "pre-activation")
    assert said["activates_at"] > said["published_at"]


async def test_a_key_that_nobody_knows_waits_or_is_forced(acme: Site, private: rsa.RSAPrivateKey) -> None:
    status, said = await post(acme, "adopt", {"private_key": pem(private), "kid": "idp-1", "activate": True})
    assert (status, said["type"].rpartition("/")[2]) == (400, "reason-missing")
    assert "idp-1" not in str(await jwks(acme)), "what is refused is refused before anything has happened"
    status, said = await post(acme, "adopt", {"private_key": pem(private), "kid": "idp-1"})
    assert (status, said["outcome"]) == (200, "waiting")
    status, said = await post(acme, "adopt", {"private_key": pem(private), "activate": True, "reason": "tonight"})
    assert (status, said["outcome"], said["active"]) == (200, "activated", "idp-1")
    assert "cached" in said["warning"]


async def test_another_algorithm_needs_the_policy_first(acme: Site) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    body = {"private_key": pem(private), "kid": "idp-1", "known_since": LONG_AGO}
    status, said = await post(acme, "adopt", body)
    assert status == 400
    assert "set algorithm ES256 in the policy first" in said["detail"]
    assert "idp-1" not in str(await jwks(acme))
    await acme.operator.put("/v1/tenants/acme/keys/policy", json={"algorithm": "ES256"})
    status, said = await post(acme, "adopt", body)
    assert (status, said["active"]) == (200, "idp-1")
    jws.verify(await signed(acme), Jwks.parse(await jwks(acme)), now=acme.platform.now())


async def test_the_private_key_is_in_no_answer_no_log_and_no_file(acme: Site, private: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    number = PublicJwk.from_public_key(private.public_key(), Algorithm.RS256)
    text = pem(private)
    lines = [line for line in text.splitlines() if len(line) > 50]
    with capture_logs() as logs:
        answers = [
            await post(acme, "adopt", {"private_key": broken, "kid": kid, "known_since": LONG_AGO})
            for broken, kid in ((text[:-60], "k"), (text, "k\n"), ({"kty": "RSA", "d": lines[3]}, "k"), (text, "k"))
        ]
    assert [status for status, _ in answers] == [400, 400, 400, 200]
    settled = contents(tmp_path)
    for line in lines:
        assert line not in str(answers)
        assert line not in str(logs)
        assert not any(line.encode() in content for content in settled)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert not any(der[200:300] in content for content in settled)
    assert engines.REAL or any(number.kid.encode() in content for content in settled), "else nothing was looked at"


async def test_a_command_is_carried_out_once_by_its_idempotency_key(acme: Site, private: rsa.RSAPrivateKey) -> None:
    body = {"jwks": public(private), "publish_until": "now+7d"}
    once = {"Idempotency-Key": "move-1"}
    assert [(await post(acme, "import", body, **once))[1]["outcome"] for _ in range(2)] == ["imported", "unchanged"]
    assert (await post(acme, "import", {**body, "publish_until": "now+8d"}, **once))[0] == 422


@pytest.mark.parametrize("more", [{"activate": True, "reason": "tonight"}, {"known_since": LONG_AGO}])
async def test_an_idempotency_key_stands_for_one_way_to_adopt(acme: Site, private: rsa.RSAPrivateKey, more: dict[str, Any]) -> None:
    body, once = {"private_key": pem(private), "kid": "idp-1"}, {"Idempotency-Key": "move-1"}
    assert [(await post(acme, "adopt", body, **once))[0] for _ in range(2)] == [200, 200]
    assert (await post(acme, "adopt", {**body, **more}, **once))[0] == 422
    listed = (await acme.operator.get("/v1/tenants/acme/keys")).json()["keys"]
    assert [key["state"] for key in listed if key["kid"] == "idp-1"] == ["pre-activation"]


async def test_a_relative_time_is_the_same_command_when_it_is_repeated(acme: Site, private: rsa.RSAPrivateKey) -> None:
    body, once = {"private_key": pem(private), "kid": "idp-1", "known_since": "now-30d"}, {"Idempotency-Key": "move-1"}
    assert [(await post(acme, "adopt", body, **once))[0] for _ in range(2)] == [200, 200]


async def test_the_export_has_the_public_halves(acme: Site, private: rsa.RSAPrivateKey) -> None:
    await post(acme, "import", {"jwks": public(private), "publish_until": "now+7d"})
    exported = await acme.operator.get("/v1/tenants/acme/keys/export")
    assert exported.json() == await jwks(acme)
    text = (await acme.operator.get("/v1/tenants/acme/keys/export?format=pem")).text
    blocks = text.split("# kid: ")[1:]
    assert len(blocks) == 3
    assert load_pem_public_key(blocks[-1].partition("\n")[2].encode()) == private.public_key()
    client = await acme.token("acme", "events:read")
    assert (await client.get("/v1/tenants/acme/keys/export")).status_code == 403


async def test_relying_parties_are_told(acme: Site, receiver: Receiver, private: rsa.RSAPrivateKey) -> None:
    body = {"name": "Shop", "webhook": receiver.url("/hook")}
    assert (await acme.operator.put("/v1/tenants/acme/relying-parties/shop", json=body)).is_success
    await post(acme, "import", {"jwks": public(private), "publish_until": "now+7d"})
    await post(acme, "adopt", {"private_key": pem(private), "activate": True, "reason": "tonight"})
    told = [one.event for one in await receiver.has(5, "/hook")]
    assert told == ["key-imported", "key-imported", "key-prepared", "key-deactivated", "key-activated"]


async def test_the_tenants_log_says_who_imported_what(acme: Site, private: rsa.RSAPrivateKey) -> None:
    await post(acme, "adopt", {"private_key": pem(private), "kid": "idp-1", "known_since": LONG_AGO})
    await acme.settled()
    found = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:(key_imported OR key_adopted)"})).json()[
        "events"
    ]
    assert {event["event.action"] for event in found} == {"key_imported", "key_adopted"}
    assert all(event["idp"]["kid"] == "idp-1" for event in found)
