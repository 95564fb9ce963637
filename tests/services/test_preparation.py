"""After a start every tenant's index is looked at, and nobody who is served waits for it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services import preparation
from streams.errors import IndexUnavailable
from streams.index_tantivy.index import TantivyIndex
from streams.scope import TenantScope
from tests.engines import embedded
from tests.platforms import Site, site

TENANTS = ("acme", "globex", "hooli")


async def found(here: Site, tenant: str) -> tuple[int, list[str]]:
    """The status of a search for everything but audit, and the ids of what it finds."""
    answer = await here.operator.get(f"/v1/tenants/{tenant}/events", params={"q": "event.provider:keycloak"})
    return answer.status_code, [event["event.id"] for event in answer.json().get("events", [])]


async def send(here: Site, tenant: str, event_id: str) -> None:
    """Sends an event of the tenant."""
    event = {"id": event_id, "time": 1_795_000_000_000, "type": "LOGIN", "realmId": tenant}
    answer = await here.operator.post(f"/v1/tenants/{tenant}/events", params={"source": "keycloak"}, json=[event])
    assert answer.status_code == 202, answer.text


async def fill(data: Path) -> None:
    """Three tenants with an event each."""
    async with site(data) as here:
        for tenant in TENANTS:
            await here.create(tenant, {"provider": "keycloak", "realm_id": tenant})
            await send(here, tenant, tenant)
        await here.settled()
        assert [await found(here, tenant) for tenant in TENANTS] == [(200, [tenant]) for tenant in TENANTS]


@embedded
async def test_jwks_and_signing_wait_for_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(tmp_path / "data")
    check, go_on = TantivyIndex.check, asyncio.Event()

    async def held(self: TantivyIndex, scope: TenantScope) -> None:
        await go_on.wait()
        await check(self, scope)

    monkeypatch.setattr(TantivyIndex, "check", held)
    async with site(tmp_path / "data") as here:
        assert here.platform.preparation.left == len(TENANTS)
        assert (await here.operator.get("/readyz")).json()["behind"] == len(TENANTS)
        for tenant in TENANTS:
            assert (await here.client(None).get(f"/t/{tenant}/jwks.json")).status_code == 200
            signed = await here.operator.post(f"/v1/tenants/{tenant}/tokens/sign", json={"claims": {"sub": "u"}})
            assert signed.status_code == 200, signed.text
            assert await found(here, tenant) == (200, [tenant]), "what is there is searched at once"
        go_on.set()
        await here.settled()
        assert here.platform.preparation.left == 0


@embedded
@pytest.mark.parametrize("process", [True, False])
async def test_a_lost_index_is_built_anew_and_a_broken_one_keeps_nobody_else_waiting(tmp_path: Path, process: bool) -> None:
    await fill(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "index" / "acme")
    (tmp_path / "data" / "index" / "globex" / "CURRENT").write_text("nonsense")
    with capture_logs() as said:
        async with site(tmp_path / "data", process=process) as here:
            async with asyncio.timeout(60):
                while here.platform.preparation.left or here.platform.processor.behind:  # noqa: ASYNC110 -- the fold of another task
                    await asyncio.sleep(0.02)
            assert await found(here, "acme") == (200, ["acme"])
            assert (await found(here, "globex"))[0] == 503
            assert await found(here, "hooli") == (200, ["hooli"])
    assert {line["tenant"] for line in said if line["event"] == "index_unavailable"} == {"globex"}


@embedded
@pytest.mark.parametrize("trouble", [IndexUnavailable("no space left on device"), ValueError("a fault")])
async def test_what_has_gone_wrong_is_tried_again_and_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    await fill(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "index" / "acme")
    check, calls, healed = TantivyIndex.check, list[str](), asyncio.Event()

    async def troubled(self: TantivyIndex, scope: TenantScope) -> None:
        calls.append(scope.tenant)
        if scope.tenant == "acme" and not healed.is_set():
            raise trouble
        await check(self, scope)

    monkeypatch.setattr(TantivyIndex, "check", troubled)
    monkeypatch.setattr(preparation, "AGAIN_SECONDS", 0.01)
    with capture_logs() as said:
        async with site(tmp_path / "data") as here:
            async with asyncio.timeout(60):
                while here.platform.preparation.left or calls.count("acme") < 3:  # noqa: ASYNC110 -- it tells nobody
                    await asyncio.sleep(0.02)
                assert await found(here, "hooli") == (200, ["hooli"])
                healed.set()
                while await found(here, "acme") != (200, ["acme"]):  # noqa: ASYNC110 -- likewise
                    await asyncio.sleep(0.02)
    [line] = [line for line in said if line["event"] == "index_unavailable"]
    assert (line["tenant"], line["error"], bool(line["exc_info"])) == ("acme", str(trouble), isinstance(trouble, ValueError))
    assert [line["tenant"] for line in said if line["event"] == "index_available"] == ["acme"]


@embedded
async def test_a_broken_index_holds_up_nobody_elses_new_events(tmp_path: Path) -> None:
    await fill(tmp_path / "data")
    (tmp_path / "data" / "index" / "globex" / "CURRENT").write_text("nonsense")
    async with site(tmp_path / "data") as here:
        for tenant in ("globex", "hooli"):
            await send(here, tenant, "new")
        async with asyncio.timeout(60):
            while len((await found(here, "hooli"))[1]) < 2:  # noqa: ASYNC110 -- by the runner, which tells nobody
                await asyncio.sleep(0.02)
        assert (await found(here, "globex"))[0] == 503
    shutil.rmtree(tmp_path / "data" / "index" / "globex")
    async with site(tmp_path / "data") as here:
        await here.settled()
        assert [len((await found(here, tenant))[1]) for tenant in TENANTS] == [1, 2, 2]
