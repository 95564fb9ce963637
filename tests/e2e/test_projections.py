"""Indexes are projections: dropped or built anew, they give the same answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engines import embedded, on_servers
from tests.platforms import REALM_IDS
from tests.processes import OWN, Service, service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

QUESTIONS = (
    OWN,
    f"{OWN} AND event.outcome:failure",
    "source.ip:203.0.113.0/24 AND event.action:login_error",
    "idp.details.auth_method:openid-connect",
    "user.name:user0*",
)


async def answers(here: Service, tenant: str) -> list[Any]:
    """What the tenant is told: every event in both orders, and counts. The answers' freshness is no part of it."""
    found: list[Any] = [await here.exported(tenant)]
    for q in QUESTIONS:
        page = (await here.get(f"/v1/tenants/{tenant}/events", q=q, limit=1000)).json()
        histogram = (await here.get(f"/v1/tenants/{tenant}/events/counts", q=q, interval="1m")).json()
        found += [
            page["events"],
            histogram["buckets"],
            await here.counts(tenant, "event.action", q),
            await here.counts(tenant, "user.name", q),
        ]
    return found


@embedded
async def test_a_dropped_index_comes_back_at_the_next_start_with_the_same_answers(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=1) as here:
        await here.settled()
        before = {tenant: await answers(here, tenant) for tenant in ("globex", "hooli", "wonka")}
        assert len(before["globex"][0]) == 1960
        assert await here.stop() == 0
        for tenant in ("globex", "hooli"):
            shutil.rmtree(here.data / "index" / tenant)
        await here.start()
        await here.settled()
        assert {tenant: await answers(here, tenant) for tenant in before} == before
        assert await here.stop() == 0
        shutil.rmtree(here.data / "index")
        await here.start()
        await here.settled()
        assert {tenant: await answers(here, tenant) for tenant in before} == before
        assert set(REALM_IDS) <= {path.name for path in (here.data / "index").iterdir()}


@embedded
async def test_a_replay_gives_the_same_answers_while_serving_and_while_stopped(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=1) as here:
        await here.settled()
        before = await answers(here, "globex")
        ran = await here.run("replay", "--tenant", "globex", "--json")
        assert ran.code == 0, ran.err
        assert ran.json["events"] >= len(before[0])
        assert await answers(here, "globex") == before
        assert await here.stop() == 0
        ran = await here.run("replay", "--tenant", "globex")
        assert ran.code == 0, ran.err
        assert ran.out.startswith("globex: index built anew with ")
        await here.start()
        await here.settled()
        assert await answers(here, "globex") == before


@embedded
async def test_replaying_a_tenant_that_is_not_there_says_so(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        for serving in (True, False):
            if not serving:
                assert await here.stop() == 0
            ran = await here.run("replay", "--tenant", "nobody")
            assert ran.code == 1, f"serving: {serving}"
            assert "nobody" in ran.err
            assert "Traceback" not in ran.err
            assert not (here.data / "index" / "nobody").exists()


@embedded
async def test_where_there_is_no_log_none_is_made_to_be_replayed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for what in ("--all", "--dead-letters"):
        ran = await tenantry("replay", what, data=elsewhere)
        assert (ran.code, "TENANTRY_DATA" in ran.err, "Traceback" in ran.err) == (1, True, False), ran.err
        assert f"no log at {elsewhere}" in ran.err
    assert not elsewhere.exists()


async def test_where_there_is_no_log_on_a_kafka_none_is_made_either(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> None:
    settings = on_servers(tmp_path, kafka, opensearch, openbao)
    ran = await tenantry("replay", "--dead-letters", "--dry-run", data=tmp_path / "data", **settings)
    assert (ran.code, "TENANTRY_LOG_URL" in ran.err, "Traceback" in ran.err) == (1, True, False), ran.err
    looked = await tenantry("doctor", "--json", data=tmp_path / "data", **settings)
    assert "to be made by the first process" in looked.json[2]["detail"]


@embedded
async def test_the_service_that_is_named_replays_whatever_is_in_the_data_directory_here(tmp_path: Path) -> None:
    async with service(tmp_path / "here"):
        pass
    async with service(tmp_path / "there", sample=1) as there:
        await there.settled()
        ran = await tenantry("replay", "--all", "--json", data=tmp_path / "here", url=there.url, token=there.token)
        assert ran.code == 0, ran.err
        assert {json.loads(line)["tenant"] for line in ran.out.splitlines()} == set(REALM_IDS)
