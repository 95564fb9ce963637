"""Starting and stopping: from nothing, again, beside another, on a port in use, and at SIGTERM."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_recorded_events import action
from tests.engines import embedded
from tests.platforms import REALM_IDS, keycloak, recorded
from tests.processes import NDJSON, Service, service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def tenants(here: Service) -> list[str]:
    return sorted(tenant["id"] for tenant in (await here.get("/v1/tenants")).json()["tenants"])


async def test_a_first_start_has_the_six_sample_tenants_and_a_restart_doubles_nothing(tmp_path: Path) -> None:
    expected = {tenant: Counter(action(event) for event in recorded() if event["realmId"] == realm) for tenant, realm in REALM_IDS.items()}
    async with service(tmp_path / "data", sample=1) as here:
        token = here.token
        for _ in range(2):
            await here.settled()
            assert await tenants(here) == sorted(REALM_IDS)
            for tenant in REALM_IDS:
                assert await here.counts(tenant) == expected[tenant]
            assert here.token == token
            assert await here.stop() == 0
            await here.start()


@embedded
async def test_what_a_first_start_leaves_is_for_its_owner_only(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        token = here.data / "operator.token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert stat.S_IMODE((here.data / "master.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(here.data.stat().st_mode) == 0o700


async def test_without_the_sample_it_starts_empty(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=0) as here:
        assert await tenants(here) == []
        await here.settled()
        assert not any((await here.get("/readyz")).json()["lag"].values())


async def test_a_sample_tenant_that_was_deleted_stays_so(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=1) as here:
        assert (await tenantry("tenants", "delete", "globex", "--yes", data=here.data, url=here.url)).code == 0
        assert await here.stop() == 0
        await here.start()
        assert await tenants(here) == sorted(set(REALM_IDS) - {"globex"})


@embedded
async def test_a_second_service_on_the_same_directory_refuses(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        second = await tenantry("serve", data=here.data, port=0)
        assert second.code == 1
        assert "another process serves" in second.err
        assert "TENANTRY_DATA" in second.err
        assert "Traceback" not in second.err
        assert (await here.get("/readyz")).status_code == 200, "the first is not disturbed"


async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await tenantry("serve", data=tmp_path / "data", port=port)
    assert ran.code == 1
    assert f"port {port}" in ran.err
    assert "TENANTRY_PORT" in ran.err
    assert "Traceback" not in ran.err


async def test_a_setting_that_can_not_work_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    ran = await tenantry("serve", data=tmp_path / "file", port=0)
    assert ran.code == 1
    assert "TENANTRY_DATA" in ran.err
    assert "Traceback" not in ran.err
    ran = await tenantry("serve", data=tmp_path / "data", port="many")
    assert ran.code == 1
    assert "TENANTRY_PORT" in ran.err
    assert "Traceback" not in ran.err


@embedded
async def test_another_master_key_is_refused(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        assert await here.stop() == 0
        for key in ("A" * 43, "short"):
            ran = await tenantry("serve", data=here.data, port=0, master_key=key)
            assert ran.code == 1
            assert "master key" in ran.err.lower()
            assert key not in ran.err
            assert "Traceback" not in ran.err


async def test_sigterm_ends_it_in_order_and_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    accepted: list[str] = []
    async with service(tmp_path / "data") as here:
        await here.create("globex", keycloak("globex"))
        some = asyncio.Event()

        async def send() -> None:
            for start in range(0, 100_000, 100):
                events = [
                    f'{{"id":"e{n}","time":1795000000000,"type":"LOGIN","realmId":"{REALM_IDS["globex"]}"}}'
                    for n in range(start, start + 100)
                ]
                try:
                    answer = await here.ask("POST", "/v1/tenants/globex/events", content="\n".join(events), headers=NDJSON)
                except httpx.TransportError:
                    return  # it has stopped listening
                assert answer.json() == {"taken": 100, "refused": []}
                accepted.extend(f"e{n}" for n in range(start, start + 100))
                if len(accepted) >= 1000:
                    some.set()

        async with asyncio.timeout(90):
            sending = asyncio.create_task(send())
            await asyncio.wait((asyncio.create_task(some.wait()), sending), return_when=asyncio.FIRST_COMPLETED)
            assert await here.stop() == 0
            await sending
        assert not (here.data / "log.sqlite-wal").exists(), "the log was closed in order"
        await here.start()
        await here.settled()
        found = [event["event.id"] for event in await here.exported("globex")]
        assert found[: len(accepted)] == accepted
        assert len(found) - len(accepted) in {0, 100}, "at most the request under way was taken and not answered"
