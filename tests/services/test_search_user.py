"""A tenant's own user at a real OpenSearch: it finds the tenant's events, and no other's, over any path that it has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.engines import open_direct_access
from streams.scope import TenantScope
from tests import engines
from tests.platforms import Site, site


@pytest.fixture
async def real(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> AsyncIterator[Site]:
    given = {} if engines.REAL else engines.on_servers(tmp_path / "data", kafka, opensearch, openbao)
    async with site(tmp_path / "data", **given) as running:
        for tenant, isolation in (("acme", "separate"), ("globex", "separate"), ("hooli", "pooled"), ("initech", "pooled")):
            answer = await running.operator.put(f"/v1/tenants/{tenant}", json={"display_name": tenant, "isolation": isolation})
            assert answer.status_code == 201, answer.text
            event = {
                "uuid": f"{tenant}-1",
                "published": "2026-11-20T10:00:00.000Z",
                "eventType": "user.session.start",
                "actor": {"id": "u"},
            }
            answer = await running.operator.post(f"/v1/tenants/{tenant}/events", json=event, params={"source": "okta"})
            assert answer.json()["taken"] == 1, answer.text
        await running.settled()
        for tenant in ("acme", "globex", "hooli", "initech"):
            answer = await running.operator.get(f"/v1/tenants/{tenant}/events", params={"q": "event.provider:okta"})
            assert [event["event.id"] for event in answer.json()["events"]] == [f"{tenant}-1"]
        yield running


@pytest.mark.parametrize(("tenant", "other"), [("acme", "globex"), ("globex", "acme")])
async def test_the_user_finds_its_tenants_events_only(real: Site, opensearch: Any, tenant: str, other: str) -> None:
    mine = (await real.operator.put(f"/v1/tenants/{tenant}/search-user")).json()
    others = (await real.operator.put(f"/v1/tenants/{other}/search-user")).json()
    auth = (mine["user"], mine["password"])
    query = {"query": {"term": {"event.provider": "okta"}}}
    found = opensearch.ask("POST", f"{mine['index']}/_search", query, auth=auth)
    assert [hit["_source"]["event.id"] for hit in found["hits"]["hits"]] == [f"{tenant}-1"]
    for path in (f"{others['index']}/_search", "*/_search", "_all/_search", "_search", f"{mine['index']},{others['index']}/_search"):
        answer = opensearch.request("POST", path, query, auth=auth)
        assert f"{other}-1" not in answer.text
    pool = opensearch.request("POST", f"{mine['index'].rpartition('-')[0]}-*/_search", query, auth=auth)
    assert "hooli-1" not in pool.text
    assert opensearch.request("GET", "_cat/indices", auth=auth).status_code == 403


async def test_nobody_gives_a_user_that_reads_more_or_longer_than_they_may(real: Site) -> None:
    path = "/v1/tenants/acme/search-user"
    async with await real.token("acme", "tenant:admin") as admin:
        refused = await admin.put(path)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json"), refused.text
        assert "events:read" in refused.json()["detail"]
        assert (await admin.delete(path)).status_code == 204, "to end one takes no more than it took"
    body = {"name": "short", "scopes": ["tenant:admin", "events:read"], "expires_at": "2030-01-01T00:00:00Z"}
    short = (await real.operator.post("/v1/tenants/acme/tokens", json=body)).json()["token"]
    async with real.client(short) as client:
        refused = await client.put(path)
        assert refused.status_code == 403, refused.text
        assert "2030-01-01T00:00:00" in refused.json()["detail"]
    async with await real.token("acme", "tenant:admin", "events:read") as reader:
        assert (await reader.put(path)).status_code == 200


async def test_a_pooled_tenant_gets_no_user(real: Site) -> None:
    answer = await real.operator.put("/v1/tenants/hooli/search-user")
    assert answer.status_code == 409
    assert "shares its index" in answer.json()["detail"]


async def test_a_revoked_user_is_let_in_no_longer_and_its_traces_are_in_the_log(real: Site, opensearch: Any) -> None:
    first = (await real.operator.put("/v1/tenants/acme/search-user")).json()
    second = (await real.operator.put("/v1/tenants/acme/search-user")).json()
    path = f"{second['index']}/_search"
    assert opensearch.request("POST", path, auth=(first["user"], first["password"])).status_code == 401, "a new password ends the old one"
    assert opensearch.request("POST", path, auth=(second["user"], second["password"])).status_code == 200
    assert (await real.operator.delete("/v1/tenants/acme/search-user")).status_code == 204
    assert opensearch.request("POST", path, auth=(second["user"], second["password"])).status_code == 401
    await real.settled()
    answer = await real.operator.get("/v1/tenants/acme/events", params={"q": "event.action:search_user_*", "sort": "oldest"})
    assert [event["event.action"] for event in answer.json()["events"]] == ["search_user_granted"] * 2 + ["search_user_revoked"]
    assert second["password"] not in json.dumps(answer.json())


async def test_a_pooled_tenant_whose_index_was_lost_is_pooled_again(real: Site) -> None:
    scope = TenantScope("hooli")
    await real.platform.index.drop(scope)
    await real.platform.catch_up.rebuild(scope)
    access = open_direct_access(real.platform.settings)
    assert access is not None
    assert await access.grant(scope) is None, "only who shares an index gets no user"
    await access.close()
    answer = await real.operator.get("/v1/tenants/hooli/events", params={"q": "event.provider:okta"})
    assert [event["event.id"] for event in answer.json()["events"]] == ["hooli-1"]


@engines.embedded
async def test_embedded_indexes_have_no_users(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        answer = await here.operator.put("/v1/tenants/acme/search-user")
        assert answer.status_code == 409
        assert "TENANTRY_INDEX_URL" in answer.json()["detail"]
