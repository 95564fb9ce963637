"""Nobody gets past tokens, scopes and tenants: every route is tried."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from services.api.app import api
from tests.platforms import Site

BODIES: dict[str, Any] = {
    "put_tenant": {"display_name": "Acme"},
    "mint_token": {"name": "n", "scopes": ["events:read"]},
    "rotate": {},
    "compromise": {"reason": "test"},
    "sign": {"claims": {"sub": "u"}},
    "put_policy": {},
    "put_ignored": {"sources": []},
}


def routes(site: Site, *, of_tenants: bool) -> list[tuple[str, str, str]]:
    """`(name, method, path)` of the routes that need a token."""
    found = []
    for path, operations in api(site.platform).openapi()["paths"].items():
        if path not in {"/healthz", "/readyz", "/metrics"} and ("{tenant}" in path) == of_tenants:
            found += [(operation["operationId"].partition("_v1")[0], method.upper(), path) for method, operation in operations.items()]
    return found


async def ask(client: httpx.AsyncClient, name: str, method: str, path: str, tenant: str) -> httpx.Response:
    path = path.replace("{tenant}", tenant).replace("{kid}", "some-kid").replace("{token_id}", "some-id").replace("{event_id}", "e1")
    body = BODIES.get(name)
    params = {"at": "2026-11-23T10:00:00Z"} if path.startswith("/t/") else {}
    return await client.request(method, path, json=body, params=params)


async def test_without_a_token_every_route_answers_401(here: Site) -> None:
    await here.create("acme")
    async with here.client(None) as nobody, here.client("tnt_0123456789abcdef_" + "x" * 43) as forger:
        for name, method, path in routes(here, of_tenants=True) + routes(here, of_tenants=False):
            for client in (nobody, forger):
                answer = await ask(client, name, method, path, "acme")
                assert answer.status_code == 401, f"{method} {path}"
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_of_one_tenant_gets_404_on_every_route_of_another(here: Site) -> None:
    await here.create("acme")
    await here.create("globex")
    every = ["events:read", "events:write", "keys:read", "keys:rotate", "keys:revoke", "tokens:sign", "tenant:admin"]
    async with await here.token("acme", *every) as acme:
        tried = 0
        for name, method, path in routes(here, of_tenants=True):
            theirs = await ask(acme, name, method, path, "globex")
            nobodys = await ask(acme, name, method, path, "no-such-tenant")
            assert theirs.status_code == nobodys.status_code == 404, f"{method} {path}: {theirs.text}"
            assert theirs.text.replace("globex", "X") == nobodys.text.replace("no-such-tenant", "X"), "as if it did not exist"
            tried += 1
        assert tried > 15


async def test_without_the_scope_every_route_of_the_own_tenant_answers_403(here: Site) -> None:
    await here.create("acme")
    async with await here.token("acme", "events:write") as writer, await here.token("acme", "keys:read") as reader:
        for name, method, path in routes(here, of_tenants=True):
            client = reader if name == "ingest" else writer
            answer = await ask(client, name, method, path, "acme")
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"


async def test_the_platforms_routes_are_the_operators(here: Site) -> None:
    await here.create("acme")
    async with await here.token("acme", "tenant:admin") as admin:
        for path in ("/v1/ignored-sources",):
            assert (await admin.get(path)).status_code == 403
        assert (await admin.put("/v1/tenants/new", json={"display_name": "New"})).status_code == 404
        assert [tenant["id"] for tenant in (await admin.get("/v1/tenants")).json()["tenants"]] == ["acme"]
        assert (await admin.delete("/v1/tenants/acme")).status_code == 403


@pytest.mark.parametrize("tenant", ["..", "%2e%2e", "acme%00", "ACME", "acme%2fevents", "@platform", "@sources", "a" * 64])
async def test_odd_tenants_in_the_path_are_not_found_and_not_made(here: Site, tenant: str) -> None:
    await here.create("acme")
    answer = await here.operator.get(f"/v1/tenants/{tenant}/events")
    assert answer.status_code == 404
    answer = await here.operator.put(f"/v1/tenants/{tenant}", json={"display_name": "x"})
    assert answer.status_code in {400, 404, 405}
    assert [tenant["id"] for tenant in (await here.operator.get("/v1/tenants")).json()["tenants"]] == ["acme"]


async def test_an_id_that_no_tenant_can_have_is_a_wrong_request_of_the_operator_alone(here: Site) -> None:
    await here.create("acme")
    answer = await here.operator.put("/v1/tenants/Foo_Bar", json={"display_name": "x"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid")
    assert "lower-case letters" in answer.json()["detail"]
    assert (await here.operator.get("/v1/tenants/Foo_Bar")).status_code == 404
    async with await here.token("acme", "tenant:admin") as admin:
        assert (await admin.put("/v1/tenants/Foo_Bar", json={"display_name": "x"})).status_code == 404


async def test_a_method_that_a_path_does_not_take_is_a_problem_too(here: Site) -> None:
    answer = await here.operator.patch("/v1/tenants/acme", json={})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (405, "method-not-allowed")


async def test_a_token_is_shown_once_and_kept_as_a_hash(here: Site) -> None:
    await here.create("acme")
    minted = (await here.operator.post("/v1/tenants/acme/tokens", json={"name": "n", "scopes": ["events:read"]})).json()
    listed = (await here.operator.get("/v1/tenants/acme/tokens")).json()
    assert minted["token"] not in json.dumps(listed)
    for stream in ("control", "tenant-log"):
        records = await here.records(stream)
        assert not any(minted["token"].encode() in record.value for record in records)


async def test_a_revoked_token_is_refused_at_once(here: Site) -> None:
    await here.create("acme")
    async with await here.token("acme", "events:read") as client:
        assert (await client.get("/v1/tenants/acme/events")).status_code == 200
        [token] = (await here.operator.get("/v1/tenants/acme/tokens")).json()["tokens"]
        assert (await here.operator.delete(f"/v1/tenants/acme/tokens/{token['id']}")).status_code == 204
        assert (await client.get("/v1/tenants/acme/events")).status_code == 401


async def test_an_expired_token_is_refused(here: Site) -> None:
    await here.create("acme")
    body = {"name": "n", "scopes": ["events:read"], "expires_at": "2020-01-01T00:00:00Z"}
    assert (await here.operator.post("/v1/tenants/acme/tokens", json=body)).status_code == 400
    body["expires_at"] = "2030-01-01T00:00:00"
    assert (await here.operator.post("/v1/tenants/acme/tokens", json=body)).status_code == 400, "no zone"
    body["expires_at"] = "9999-12-31T23:59:59-14:00"
    assert (await here.operator.post("/v1/tenants/acme/tokens", json=body)).status_code == 400, "more than ten years away"
    body["expires_at"] = "2030-01-01T00:00:00Z"
    token = (await here.operator.post("/v1/tenants/acme/tokens", json=body)).json()["token"]
    assert here.platform.tokens.principal(token, here.platform.now()).tenant == "acme"
    with pytest.raises(Exception, match="not valid"):
        here.platform.tokens.principal(token, 4_102_444_800_000)


async def test_nobody_mints_more_than_they_hold(here: Site) -> None:
    await here.create("acme")
    async with await here.token("acme", "tenant:admin", "events:read") as admin:
        for scopes, status in ((["events:read"], 201), (["keys:revoke"], 403), (["platform:admin"], 400), (["no:such"], 400), ([], 400)):
            answer = await admin.post("/v1/tenants/acme/tokens", json={"name": f"t{status}", "scopes": scopes})
            assert answer.status_code == status, answer.text


async def test_a_cursor_of_one_tenant_is_refused_by_another(here: Site) -> None:
    for tenant in ("acme", "globex"):
        await here.create(tenant)
        await here.operator.get(f"/v1/tenants/{tenant}/events")
        await here.operator.get(f"/v1/tenants/{tenant}/events")
    await here.settled()
    for kind, params in (("", {"limit": 1}), ("/tail", {"limit": 1})):
        cursor = (await here.operator.get(f"/v1/tenants/acme/events{kind}", params=params)).json()["next"]
        assert cursor
        assert (await here.operator.get(f"/v1/tenants/acme/events{kind}", params={**params, "after": cursor})).status_code == 200
        refused = await here.operator.get(f"/v1/tenants/globex/events{kind}", params={**params, "after": cursor})
        assert refused.status_code == 400
        assert refused.json()["type"].endswith("invalid-cursor")


async def test_sources_and_issuer_are_the_operators_to_set(here: Site) -> None:
    await here.create("acme", {"provider": "auth0", "tenant_name": "acme-eu"})
    async with await here.token("acme", "tenant:admin") as admin:
        renamed = await admin.put("/v1/tenants/acme", json={"display_name": "Acme Inc."})
        assert (renamed.status_code, renamed.json()["display_name"]) == (200, "Acme Inc.")
        assert renamed.json()["sources"] == [{"provider": "auth0", "tenant_name": "acme-eu"}]
        claimed = {"display_name": "Acme", "sources": [{"provider": "auth0", "tenant_name": "globex-eu"}]}
        assert (await admin.put("/v1/tenants/acme", json=claimed)).status_code == 403
        issuing = {"display_name": "Acme", "issuer": "https://globex.example"}
        assert (await admin.put("/v1/tenants/acme", json=issuing)).status_code == 403


async def test_a_source_has_one_tenant(here: Site) -> None:
    await here.create("acme", {"provider": "auth0", "tenant_name": "acme-eu"})
    body = {"display_name": "Globex", "sources": [{"provider": "auth0", "tenant_name": "acme-eu"}]}
    answer = await here.operator.put("/v1/tenants/globex", json=body)
    assert answer.status_code == 409
    assert "by tenant 'acme'" in answer.json()["detail"], "where to remove it"
    assert (await here.operator.get("/v1/tenants/globex")).status_code == 404, "nothing half-made"
    refused = await here.operator.put("/v1/ignored-sources", json={"sources": body["sources"]})
    assert (refused.status_code, "by tenant 'acme'" in refused.json()["detail"]) == (409, True)
    ignored = {"provider": "auth0", "tenant_name": "trial"}
    assert (await here.operator.put("/v1/ignored-sources", json={"sources": [ignored]})).status_code == 200
    answer = await here.operator.put("/v1/tenants/globex", json={"display_name": "Globex", "sources": [ignored]})
    assert (answer.status_code, "among the ignored sources" in answer.json()["detail"]) == (409, True)


async def test_whose_a_source_is_no_other_tenant_is_told(here: Site) -> None:
    await here.create("acme", {"provider": "auth0", "tenant_name": "acme-eu"})
    await here.create("globex")
    async with await here.token("globex", "tenant:admin") as admin:
        body = {"display_name": "Globex", "sources": [{"provider": "auth0", "tenant_name": "acme-eu"}]}
        answer = await admin.put("/v1/tenants/globex", json=body)
        assert (answer.status_code, "acme'" in answer.text) == (403, False)


async def test_unknown_and_repeated_parameters_are_refused_by_name(here: Site) -> None:
    await here.create("acme")
    answer = await here.operator.get("/v1/tenants/acme/events?qq=x")
    assert answer.status_code == 400
    assert "'qq'" in answer.json()["detail"]
    assert (await here.operator.get("/v1/tenants/acme/events?q=a&q=b")).status_code == 400
    assert (await here.operator.get("/v1/tenants/acme/keys?q=a")).status_code == 400


async def test_a_deleted_tenant_is_gone_and_its_id_is_not_used_again(here: Site) -> None:
    source = {"provider": "auth0", "tenant_name": "acme-eu"}
    await here.create("acme", source)
    async with await here.token("acme", "events:read") as client:
        assert (await here.operator.delete("/v1/tenants/acme")).status_code == 204
        assert (await client.get("/v1/tenants/acme/events")).status_code == 401
    assert (await here.operator.get("/v1/tenants/acme")).status_code == 404
    assert (await here.operator.get("/t/acme/jwks.json")).status_code == 404
    assert (await here.operator.put("/v1/tenants/acme", json={"display_name": "Acme"})).status_code == 409
    await here.create("globex", source)
