"""Every expression of boards and alerts is answered by a real Prometheus, which scrapes the service and a worker on the real engines."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from dashboards.boards import promql
from dashboards.boards.alerts import ALERTS
from dashboards.boards.keys_board import KEYS
from dashboards.boards.platform_board import PLATFORM
from tests import engines
from tests.daemon import PATIENCE
from tests.platforms import keycloak
from tests.processes import Service, ndjson, tenantry
from tests.servers.fixtures import made
from tests.servers.process import free_port
from tests.servers.prometheus import Prometheus
from tests.workers import Worker

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]
ROOT: Final = Path(__file__).parents[2]
EXPRESSIONS: Final = [
    (f"{board.title}, {panel['title']}", target["expr"])
    for board in (PLATFORM, KEYS)
    for panel in board.render()["panels"]
    for target in panel.get("targets", ())
]
TIME: Final = 1_795_000_000_000
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Watched:
    """A running installation, and the Prometheus that watches it."""

    api: Service
    worker: Worker
    prometheus: Prometheus

    async def scraped(self) -> None:
        """Returns when everything that runs was scraped after now. Prometheus tells nobody, so it is asked."""
        since = time.time()
        await self.becomes(f"min(timestamp({promql.UP})) > {since}")

    async def becomes(self, expression: str) -> None:
        """Returns when the expression is answered."""
        async with asyncio.timeout(PATIENCE):
            while not await self.ask(expression):  # noqa: ASYNC110 -- in another process
                await asyncio.sleep(_POLL_SECONDS)

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that answer now."""
        return await asyncio.to_thread(self.prometheus.query, expression)

    async def value(self, expression: str) -> float:
        """The value of the one series that answers."""
        [found] = await self.ask(expression)
        return float(found["value"][1])


async def traffic(api: Service, settings: dict[str, Any], number: int) -> None:
    """A little of everything that is counted."""
    login = {"type": "LOGIN", "realmId": keycloak("globex")["realm_id"]}
    events: list[dict[str, Any] | bytes] = [{**login, "id": f"{number}-{n}", "time": TIME + n} for n in range(100)]
    events += [b"[]", b"{", {"id": f"{number}-x", "time": TIME, "type": "LOGIN", "realmId": "nobody-s"}]
    file = ndjson(api.data / "events.ndjson", events)
    ingested = await tenantry("ingest", "--source", "keycloak", "--wait", str(file), data=api.data, port=api.port, **settings)
    assert ingested.out.startswith("103 events: 100 indexed, 0 duplicate, 3 dead-lettered"), ingested.err
    for claims in ({"sub": "one", "aud": "web-app"}, {"sub": "two", "aud": "web-app"}):
        assert (await api.post("/v1/tenants/globex/tokens/sign", {"claims": claims})).status_code == 200
    assert (await api.run("keys", "rotate", "globex", "--activate", "--reason", "a test")).code == 0
    for method, path, status in (
        ("GET", "/t/globex/jwks.json", 200),
        ("GET", "/t/nobody/jwks.json", 404),
        ("GET", "/v1/tenants/globex/events", 200),
        ("GET", "/v1/tenants/nobody/events", 404),
        ("POST", "/v1/tenants/nobody/keys/rotate", 404),
    ):
        assert (await api.ask(method, path)).status_code == status, path
    await api.settled()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory, kafka: Any, opensearch: Any, openbao: Any) -> AsyncIterator[Watched]:
    """API and worker, watched while something happens. A rate takes two scrapes, so everything happens before the first one, too."""
    home = tmp_path_factory.mktemp("watched")
    settings = {**engines.on_servers(home / "api", kafka, opensearch, openbao), "process": 0}
    port = free_port()
    api, worker = Service(home / "api", **settings), Worker(home / "worker", {**settings, "metrics_port": port})
    try:
        await api.start()
        await worker.start()
        await api.create("globex", keycloak("globex"))
        party = {"name": "Web", "webhook": "https://localhost:1/hook"}
        assert (await api.ask("PUT", "/v1/tenants/globex/relying-parties/web", json=party)).status_code in {200, 201}
        await traffic(api, settings, 1)
        targets = {"tenantry-api": [f"127.0.0.1:{api.port}"], "tenantry-worker": [f"127.0.0.1:{port}"]}
        with made(lambda: Prometheus(targets, ROOT / "deploy/prometheus/alerts.yml"), "prometheus") as prometheus:
            here = Watched(api, worker, prometheus)
            await here.scraped()
            await here.scraped()
            await traffic(api, settings, 2)
            await here.scraped()
            yield here
    finally:
        await worker.close()
        await api.close()


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[f"{title} {n}" for n, (title, _) in enumerate(EXPRESSIONS)])
async def test_every_picture_shows_something(watched: Watched, title: str, expression: str) -> None:
    found = await watched.ask(expression.replace(promql.GRAFANA_WINDOW, "5m"))
    values = [float(one["value"][1]) for one in found]
    assert [value for value in values if math.isfinite(value)], f"{title}: {expression} answers {found}"


async def test_they_show_what_happened(watched: Watched) -> None:
    await watched.scraped()
    assert await watched.value("sum(tenantry_events_routed_total)") == 200
    dead = {
        one["metric"]["reason"]: float(one["value"][1]) for one in await watched.ask("sum by (reason) (tenantry_dead_letters_total) > 0")
    }
    assert dead == {"not_an_object": 2, "not_json": 2, "unknown_tenant_source": 2}
    assert await watched.value("tenantry_sign_seconds_count{job='tenantry-api'}") == 4
    assert await watched.value("sum(tenantry_key_events_total{type='key_activated'})") == 3, "the first, and two by hand"
    assert await watched.value("sum(increase(tenantry_dead_letters_total[5m]))") > 0, "what begins at 0 is seen to grow"
    assert await watched.value("max(tenantry_tenants)") == 1
    assert await watched.value("max(tenantry_tenants_without_active_key)") == 0
    assert await watched.value("sum(tenantry_processors_running{job='tenantry-worker'})") == 3
    assert await watched.value("sum(tenantry_processors_running{job='tenantry-api'})") == 0
    failed = await watched.ask("sum by (status) (tenantry_http_request_seconds_count{status='4xx'})")
    assert float(failed[0]["value"][1]) >= 4


async def test_prometheus_takes_every_rule_and_nothing_fires_where_all_is_well(watched: Watched) -> None:
    rules = await asyncio.to_thread(watched.prometheus.rules)
    async with asyncio.timeout(PATIENCE):
        while "unknown" in {rule["health"] for rule in rules}:
            await asyncio.sleep(_POLL_SECONDS)
            rules = await asyncio.to_thread(watched.prometheus.rules)
    assert [rule["name"] for rule in rules] == [alert.name for alert in ALERTS]
    assert {rule["health"] for rule in rules} == {"ok"}
    pending = {rule["name"] for rule in rules if rule["state"] != "inactive"}
    assert pending <= {"TenantryDeadLetters", "TenantryNoticesFailing", "TenantrySigningSlow"}, "which really came, failed and waited"
    assert "TenantryDeadLetters" in pending


async def test_alerts_see_that_the_worker_has_gone(watched: Watched) -> None:
    """Last: it ends the worker."""
    await watched.worker.kill()
    await watched.becomes('up{job="tenantry-worker"} == 0')
    seen = {alert.name for alert in ALERTS if await watched.ask(alert.expr.replace("[1h:1m]", "[1h:1s]"))}
    assert {"TenantryProcessDown", "TenantryWorkerMissing", "TenantryNobodyProcesses"} <= seen
    assert not seen & {"TenantryNoActiveKey", "TenantryJwksEmpty", "TenantryKeyStoreAway", "TenantrySigningFails", "TenantryLag"}
