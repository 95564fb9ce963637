"""Keys over HTTP: the ring, rotation, compromise, signing, and what is published."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from joserfc import jwt as jose
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName
from keyvault.policy import Policy
from streams.scope import TenantScope
from tests.engines import embedded
from tests.platforms import Site

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def jwks(site: Site) -> dict[str, Any]:
    answer = await site.client(None).get("/t/acme/jwks.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def kids(site: Site) -> list[str]:
    return [key["kid"] for key in (await jwks(site))["keys"]]


async def ring(site: Site) -> dict[str, dict[str, Any]]:
    return {key["kid"]: key for key in (await site.operator.get("/v1/tenants/acme/keys")).json()["keys"]}


async def sign(site: Site, **claims: Any) -> str:
    answer = await site.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": claims})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def verifies(site: Site, token: str) -> bool:
    """With two independent libraries, on the live JWKS."""
    document = await jwks(site)
    try:
        jose.decode(token, KeySet.import_key_set(cast("Any", document)), algorithms=ALGORITHMS)
    except JoseError:
        by_joserfc = False
    else:
        by_joserfc = True
    header = jwt.get_unverified_header(token)
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
    try:
        jwt.decode(token, keys[header["kid"]], algorithms=ALGORITHMS, options={"verify_aud": False})
    except (KeyError, jwt.InvalidTokenError):
        by_pyjwt = False
    else:
        by_pyjwt = True
    assert by_joserfc == by_pyjwt
    return by_pyjwt


async def post(site: Site, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await site.operator.post(f"/v1/tenants/acme/keys/{path}", json=body, headers=headers)
    return answer.status_code, answer.json()


async def test_a_new_tenant_has_an_active_key_and_a_standby_at_once(acme: Site) -> None:
    assert sorted(key["state"] for key in (await ring(acme)).values()) == ["active", "pre-activation"]
    assert len(await kids(acme)) == 2


async def test_a_jwks_holds_public_halves_only(acme: Site) -> None:
    for key in (await jwks(acme))["keys"]:
        assert set(key) == {"kty", "kid", "alg", "use", "n", "e"}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # for the name Ed25519, which few clients know yet
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_tokens_verify_in_every_algorithm(acme: Site, algorithm: str) -> None:
    before = await sign(acme, sub="u")
    answer = await acme.operator.put("/v1/tenants/acme/keys/policy", json={"algorithm": algorithm})
    assert answer.status_code == 200, answer.text
    await post(acme, "rotate", {"activate": True, "reason": "another algorithm"})
    token = await sign(acme, sub="u", aud="web")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert await verifies(acme, token)
    assert await verifies(acme, before), "both are published until the old one's last token has expired"


async def test_the_service_sets_issuer_and_times(acme: Site) -> None:
    claims = jwt.decode(await sign(acme, sub="u"), options={"verify_signature": False})
    assert claims["iss"] == f"{acme.platform.settings.issuer_base}/t/acme"
    assert claims["exp"] - claims["iat"] == 3600
    for wrong in ({"iss": "https://globex.example"}, {"exp": 4_102_444_800}):
        answer = await acme.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"sub": "u", **wrong}})
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("invalid-claims")


async def test_the_issuer_never_comes_from_the_host_header(acme: Site) -> None:
    answer = await acme.operator.get("/t/acme/.well-known/openid-configuration", headers={"Host": "evil.example"})
    assert "evil" not in answer.text
    answer = await acme.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {}}, headers={"Host": "evil.example"})
    assert "evil" not in str(jwt.decode(answer.json()["token"], options={"verify_signature": False}))


async def test_a_standby_that_is_not_due_is_answered_with_its_time(acme: Site) -> None:
    active, standby = await kids(acme)
    status, answer = await post(acme, "rotate", {})
    assert (status, answer["kid"], answer["active"]) == (200, standby, active)
    assert answer["activates_at"] > answer["published_at"]
    status, answer = await post(acme, f"{standby}/activate", {"reason": "now"})
    assert (status, answer["active"]) == (200, standby)
    assert "warning" in answer


async def test_forcing_takes_a_reason_and_says_whom_it_may_break(acme: Site) -> None:
    [active, standby] = await kids(acme)
    assert (await post(acme, "rotate", {"activate": True}))[0] == 400
    status, answer = await post(acme, "rotate", {"activate": True, "reason": "vendor asked"})
    assert (status, answer["active"]) == (200, standby)
    assert "cached" in answer["warning"]
    there = await ring(acme)
    assert (there[active]["state"], "forced" in there[active], there[standby]["forced"]) == ("deactivated", False, "vendor asked")
    await acme.settled()
    found = await acme.operator.get("/v1/tenants/acme/events", params={"q": 'event.reason:"vendor asked"'})
    assert [event["event.action"] for event in found.json()["events"]] == ["key_activated"]


async def test_fifty_rotations_at_once_have_one_successor(acme: Site) -> None:
    _, standby = await kids(acme)
    token = await sign(acme, sub="u")
    # Asked of the custodian itself: over HTTP the last could come when the first is answered, and would rotate again, rightly.
    rotate = acme.platform.custodian.rotate
    asked = (rotate(TenantScope("acme"), activate=True, reason="all at once", by=f"node-{one}", command=None) for one in range(50))
    answers = await asyncio.gather(*asked)
    assert [done.ring.active.kid for done in answers if done.ring.active is not None] == [standby] * 50
    states = [key["state"] for key in (await ring(acme)).values()]
    assert states.count("active") == 1
    assert states.count("deactivated") == 1
    assert await verifies(acme, token), "signed before the rotation"


async def test_a_compromised_key_leaves_at_once_and_its_successor_signs(acme: Site) -> None:
    active, standby = await kids(acme)
    token = await sign(acme, sub="u")
    status, answer = await post(acme, f"{active}/compromise", {"reason": "seen in a repository"})
    assert (status, answer["active"], answer["state"]) == (200, standby, "compromised")
    assert active not in await kids(acme)
    assert not await verifies(acme, token)
    assert await verifies(acme, await sign(acme, sub="u"))
    again = await post(acme, f"{active}/compromise", {"reason": "again"})
    assert again[0] == 200
    assert (await ring(acme))[active]["reason"] == "seen in a repository"
    await acme.settled()
    found = await acme.operator.get("/v1/tenants/acme/events", params={"q": 'event.reason:"seen in a repository"'})
    assert [event["event.action"] for event in found.json()["events"]] == ["key_compromised"]


async def test_only_a_standby_is_said_to_be_ready(acme: Site) -> None:
    active, standby = await kids(acme)
    assert (await acme.operator.get(f"/v1/tenants/acme/keys/{standby}/readiness")).json()["state"] == "pre-activation"
    for reported in (False, True):
        if reported:
            await post(acme, f"{active}/compromise", {"reason": "leaked"})
        refused = await acme.operator.get(f"/v1/tenants/acme/keys/{active}/readiness")
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "wrong-key-state")


@embedded
async def test_with_the_key_store_away_the_bad_key_still_leaves_and_signing_answers_503(acme: Site, tmp_path: Path) -> None:
    active, standby = await kids(acme)
    await post(acme, f"{standby}/compromise", {"reason": "first the standby"})
    keys = tmp_path / "data" / "keys"
    shutil.move(keys, tmp_path / "away")
    keys.write_text("not a directory")
    for kid in await kids(acme):
        status, _ = await post(acme, f"{kid}/compromise", {"reason": "all of them"})
        assert status == 200
    assert active not in await kids(acme)
    answer = await acme.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"sub": "u"}})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    keys.unlink()
    shutil.move(tmp_path / "away", keys)
    assert (await post(acme, "rotate", {}))[0] in {200, 201}
    assert await verifies(acme, await sign(acme, sub="u"))


async def test_an_idempotency_key_makes_one_rotation_of_two_requests(acme: Site) -> None:
    _, standby = await kids(acme)
    body = {"activate": True, "reason": "once"}
    headers = {"Idempotency-Key": "rotation 1"}
    first = await post(acme, "rotate", body, **headers)
    second = await post(acme, "rotate", body, **headers)
    assert first[1]["active"] == second[1]["active"] == standby
    status, _ = await post(acme, f"{standby}/compromise", {"reason": "x"}, **headers)
    assert status == 422


async def test_the_jwks_is_cacheable_and_revalidates(acme: Site) -> None:
    async with acme.client(None) as anybody:
        answer = await anybody.get("/t/acme/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "ETag"
        preflight = await anybody.request("OPTIONS", "/t/acme/jwks.json")
        assert preflight.headers["access-control-allow-headers"] == "If-None-Match, Cache-Control"
        etag = answer.headers["etag"]
        assert not etag.startswith("W/")
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            same = await anybody.get("/t/acme/jwks.json", headers={"If-None-Match": known})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        head = await anybody.head("/t/acme/jwks.json")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(answer.content)))
        await post(acme, "rotate", {"activate": True, "reason": "new etag"})
        changed = await anybody.get("/t/acme/jwks.json", headers={"If-None-Match": etag})
        assert (changed.status_code, changed.headers["etag"] != etag) == (200, True)
        assert (await anybody.post("/t/acme/jwks.json")).status_code == 405
        assert (await anybody.get("/t/nobody/jwks.json")).status_code == 404


@pytest.mark.parametrize(("jwks_max_age", "discovery"), [("PT1S", 1), ("PT5M", 300), ("PT1H", 300)])
async def test_discovery_is_not_kept_longer_than_the_jwks(acme: Site, jwks_max_age: str, discovery: int) -> None:
    policy = {"jwks_max_age": jwks_max_age}
    assert (await acme.operator.put("/v1/tenants/acme/keys/policy", json=policy)).status_code == 200
    answer = await acme.client(None).get("/t/acme/.well-known/openid-configuration")
    assert answer.headers["cache-control"] == f"public, max-age={discovery}"


async def test_discovery_points_at_the_jwks(acme: Site) -> None:
    metadata = (await acme.client(None).get("/t/acme/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == f"{acme.platform.settings.issuer_base}/t/acme"
    assert metadata["jwks_uri"].endswith("/t/acme/jwks.json")
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"]
    body = {"display_name": "Acme", "issuer": "https://id.acme.example"}
    assert (await acme.operator.put("/v1/tenants/acme", json=body)).json()["issuer"] == "https://id.acme.example"
    metadata = (await acme.client(None).get("/t/acme/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == "https://id.acme.example"


async def test_the_past_jwks_is_for_holders_of_keys_read(acme: Site) -> None:
    before = await jwks(acme)
    events = [event async for event in _times(acme)]
    await post(acme, "rotate", {"activate": True, "reason": "history"})
    at = {"at": events[-1]}
    assert (await acme.client(None).get("/t/acme/jwks.json", params=at)).status_code == 401
    answer = await acme.operator.get("/t/acme/jwks.json", params=at)
    assert answer.json() == before
    assert answer.headers["cache-control"] == "no-store"
    head = await acme.operator.head("/t/acme/jwks.json", params=at)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))
    assert (await acme.client(None).head("/t/acme/jwks.json", params=at)).status_code == 401
    assert (await acme.operator.get("/t/acme/jwks.json", params={"at": "2020-01-01T00:00:00Z"})).json() == {"keys": []}
    assert (await acme.operator.get("/t/acme/jwks.json", params={"at": "2100-01-01T00:00:00Z"})).status_code == 400


async def _times(site: Site) -> Any:
    for key in (await ring(site)).values():
        yield key["published_at"]


async def test_a_policy_is_judged_as_a_whole(acme: Site) -> None:
    put = acme.operator.put
    answer = await put("/v1/tenants/acme/keys/policy", json={"publish_ahead": "PT1M"})
    assert answer.status_code == 400
    assert "publish_ahead must exceed" in answer.json()["detail"]
    answer = await put("/v1/tenants/acme/keys/policy", json={"algorithm": "ES256", "rotation_period": "P30D"})
    assert answer.json()["algorithm"] == "ES256"
    assert (await acme.operator.get("/v1/tenants/acme/keys/policy")).json() == answer.json()


async def test_the_schedule_rotates_by_itself(here: Site) -> None:
    policy = {
        "algorithm": "ES256",
        "rotation_period": "PT3S",
        "publish_ahead": "PT2S",
        "max_token_lifetime": "PT3S",
        "clock_skew": "PT0S",
        "jwks_max_age": "PT1S",
        "max_published_keys": 10,
    }
    changed = asyncio.Event()
    rotated: list[str] = []

    def look(_: str) -> None:
        active = here.platform.rings.of("acme").active
        if active is not None and active.kid not in rotated:
            rotated.append(active.kid)
        if len(rotated) == 4:
            changed.set()

    here.platform.rings.on_change(look)
    # Before there are keys: later it would wait for caches of the JWKS by the policy before.
    await here.platform.custodian.change_policy(TenantScope("acme"), Policy.parse(policy), by="test", command=None)
    await here.create("acme")
    token = await sign(here, sub="u")
    assert await verifies(here, token)
    async with asyncio.timeout(30):
        await changed.wait()
    assert await verifies(here, await sign(here, sub="u"))


async def test_a_bad_key_is_out_before_the_key_store_is_asked_for_another(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one that hangs keeps it in the JWKS for no moment; and what it answers is told with the answer."""
    active, standby = await kids(acme)
    create, published = acme.platform.store.create, []

    async def look(name: KeyName) -> PublicJwk:
        published.append([key.kid for key in acme.platform.rings.of("acme").published(acme.platform.now())])
        return await create(name)

    monkeypatch.setattr(acme.platform.store, "create", look)
    status, answer = await post(acme, f"{active}/compromise", {"reason": "leaked"})
    assert (status, answer["active"]) == (200, standby)
    assert published == [[standby]]
    takes_over = (await ring(acme))[next(kid for kid in await kids(acme) if kid != standby)]
    assert answer["blast_radius"]["takes_over_at"] == takes_over["ready_at"]
