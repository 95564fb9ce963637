"""What docker-compose.yml runs, as a whole: an API that processes nothing, two workers, and the engines of deploy/; and its losses."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.deploy import engines
from tests.platforms import REALM_IDS
from tests.processes import Service, tenantry
from tests.servers.fixtures import made
from tests.workers import Worker

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="deploy/make-secrets.sh takes openssl"),
]


class Site:
    """The engines, and the processes on them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.secrets = engines.make_secrets(home)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()  # or it would go on for ever
            raise
        return self

    async def _start(self) -> None:
        def start() -> None:
            self.kafka = self._stack.enter_context(made(lambda: engines.Kafka(self.secrets), "kafka"))
            self.openbao = self._stack.enter_context(made(lambda: engines.OpenBao(self.secrets), "openbao"))
            self.opensearch = self._stack.enter_context(made(lambda: engines.OpenSearch(self.secrets), "opensearch"))

        await asyncio.to_thread(start)
        assert (await asyncio.to_thread(self.openbao.give_role)).returncode == 0
        assert (await asyncio.to_thread(self.opensearch.give_users)).returncode == 0
        places = {"kafka:9092": self.kafka, "opensearch:9200": self.opensearch, "openbao:8200": self.openbao}
        self.settings: dict[str, Any] = dict(engines.environment(self.secrets, places))
        self.api = Service(self.home / "api", **self.settings, process=0, sample=1)
        self._stack.push_async_callback(self.api.close)
        await self.api.start()
        for number in range(2):
            worker = Worker(self.home / f"worker-{number}", self.settings)
            self._stack.push_async_callback(worker.close)
            await worker.start()

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def counts(self) -> dict[str, Counter[str]]:
        """How many events of each kind each tenant finds, when all are there."""
        await self.api.settled()
        return {tenant: await self.api.counts(tenant) for tenant in REALM_IDS}

    def lose_opensearch(self) -> None:
        """Its disk is gone; it starts anew, and its setup runs again."""
        data = self.opensearch.directory / "data"
        self.opensearch.kill()
        shutil.rmtree(data)
        data.mkdir()
        self.opensearch.own(data)
        self.opensearch.start()
        assert self.opensearch.give_users().returncode == 0

    def raw_events(self, tenant: str) -> int:
        """How many events deploy/opensearch/raw_events.py finds in the tenant's index."""
        password = self.secrets / "opensearch/admin-password"
        options = ["--user", "admin", "--password-file", str(password), "--cafile", str(self.secrets / "ca.pem")]
        target = [f"https://127.0.0.1:{self.opensearch.port}", f"tenantry-t-{tenant}", "keycloak"]
        done = subprocess.run(
            [sys.executable, engines.ROOT / "deploy/opensearch/raw_events.py", *target, *options], capture_output=True, check=True
        )
        return len({json.loads(line)["id"] for line in done.stdout.splitlines()})


async def test_it_works_and_survives_the_loss_of_opensearch(tmp_path: Path) -> None:
    async with Site(tmp_path) as here:
        counts = await here.counts()
        assert sum(found.total() for found in counts.values()) > 4000
        for tenant, found in counts.items():
            signed = await here.api.post(f"/v1/tenants/{tenant}/tokens/sign", {"claims": {"sub": "user"}})
            assert signed.status_code == 200
            assert await asyncio.to_thread(here.raw_events, tenant) == found.total(), "as they came, for when Kafka is lost"
        await asyncio.to_thread(here.lose_opensearch)
        assert (await here.api.get("/t/globex/jwks.json")).status_code == 200
        for tenant in REALM_IDS:
            replayed = await tenantry("replay", "--tenant", tenant, data=here.api.data, port=here.api.port, process=0, **here.settings)
            assert replayed.code == 0, replayed.err
        assert await here.counts() == counts
