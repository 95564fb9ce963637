"""A service whose search engine or key store is away: it starts, says so, and completes later what it could not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.answering import warn
from services.engines import open_store
from services.settings import Settings
from tests.engines import embedded
from tests.platforms import site
from tests.servers.process import free_port

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def away() -> dict[str, Any]:
    """The settings of an OpenSearch that is not there."""
    return {"index_url": f"opensearch://admin@127.0.0.1:{free_port()}/away?tls=false", "opensearch_password": "geheim"}


async def test_a_tenant_that_is_registered_while_the_search_engine_is_away_is_said_to_be(tmp_path: Path) -> None:
    async with site(tmp_path / "data", process=False, **away()) as here:
        answer = await here.operator.put("/v1/tenants/acme", json={"display_name": "Acme"})
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert "Tenant 'acme' is registered; what it lacks is made when that is back" in answer.json()["detail"]
        assert (await here.operator.get("/v1/tenants/acme")).json()["display_name"] == "Acme"


async def test_a_service_warns_of_engines_that_are_away(tmp_path: Path) -> None:
    nowhere = Settings(data=tmp_path, keys_url=f"vault://127.0.0.1:{free_port()}/away", vault_token="geheim")  # type: ignore[arg-type]
    async with site(tmp_path / "data", process=False, **away()) as here:
        store = open_store(nowhere)
        try:
            with capture_logs() as said:
                await warn(here.platform.index, store)
        finally:
            await store.close()
    assert [(line["event"], line["engine"]) for line in said if "engine" in line] == [
        ("engine_does_not_answer", "search index"),
        ("engine_does_not_answer", "key store"),
    ]
    assert "geheim" not in str(said)


@embedded
async def test_a_service_warns_of_nothing_when_all_answer(tmp_path: Path) -> None:
    async with site(tmp_path / "data", process=False) as here:
        with capture_logs() as said:
            await warn(here.platform.index, here.platform.store)
    assert [line for line in said if "engine" in line] == []


def test_a_kafka_that_is_away_is_said_once(tmp_path: Path) -> None:
    """Its client writes a line for each attempt to connect."""
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'tenantry'; from services.cli import main; main()", "ingest", "-"]
    settings = {"TENANTRY_DATA": str(tmp_path), "TENANTRY_LOG_URL": f"kafka://127.0.0.1:{free_port()}/away"}
    ran = subprocess.run(command, env=settings, input="{}\n", capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert line.startswith("tenantry: Kafka can't be used to")
    assert line.endswith("check that its brokers run and can be reached, and the user name and password if there are any")
