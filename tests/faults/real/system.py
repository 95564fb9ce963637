"""Tenantry on the real engines, as a cluster: processes that serve, processes that work, and what they left in the engines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from streams.event_log import DEAD_LETTERS, IDP_EVENTS, Record
from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests import engines
from tests.daemon import PATIENCE
from tests.faults.real.sending import REALMS, Sender, sender
from tests.processes import Service
from tests.workers import Worker

_OWN = {"term": {"event.provider": "tenantry"}}


class System:
    """Processes on one prefix; `api` is the first that serves."""

    def __init__(self, data: Path, kafka: Any, opensearch: Any, openbao: Any, **settings: object) -> None:
        self.data = data
        self.kafka = kafka
        self.opensearch = opensearch
        self.settings: dict[str, Any] = {**engines.on_servers(data, kafka, opensearch, openbao), **settings}
        self.prefix = urlsplit(self.settings["log_url"]).path.strip("/")
        self.services: list[Service] = []
        self.workers: list[Worker] = []

    @property
    def api(self) -> Service:
        """Where questions go."""
        return self.services[0]

    async def serve(self) -> Service:
        """One more process that serves, and does not route or index."""
        made = Service(self.data, **{**self.settings, "process": 0})
        self.services.append(made)
        await made.start()
        return made

    async def work(self, *, wait: bool = True) -> Worker:
        """One more worker."""
        made = Worker(self.data, self.settings)
        self.workers.append(made)
        await (made.start() if wait else made.launch())
        return made

    async def create_tenants(self) -> None:
        """All tenants of `sending.REALMS`."""
        await asyncio.gather(
            *(self.api.create(tenant, {"provider": "keycloak", "realm_id": realm, "realm": tenant}) for tenant, realm in REALMS.items())
        )

    async def indexed(self, tenant: str = "*") -> int:
        """How many events of identity providers are in the index of a tenant, or of all, as OpenSearch itself says."""
        path = f"{self.prefix}-t-{tenant}"
        body = {"query": {"bool": {"must_not": [_OWN]}}}
        await self.ask("POST", f"{path}/_refresh")
        return int((await self.ask("POST", f"{path}/_count", body))["count"])

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Asks OpenSearch as its administrator."""
        return await asyncio.to_thread(self.opensearch.ask, method, path, body)

    async def there(self, tenant: str, event_id: str) -> bool:
        """Whether OpenSearch has the event, searchable or not yet."""
        answer = await asyncio.to_thread(self.opensearch.request, "GET", f"{self.prefix}-t-{tenant}/_doc/{tenant}:{event_id}")
        return bool(answer.status_code == 200)

    async def index_of(self, tenant: str) -> str:
        """The index behind the tenant's alias."""
        found = await self.ask("GET", f"_alias/{self.prefix}-t-{tenant}")
        return str(next(iter(found)))

    async def arrived(self, count: int, patience: float = PATIENCE) -> None:
        """Returns when so many events are in the indexes, and nothing is left to be done."""
        found = -1
        try:
            async with asyncio.timeout(patience):
                while (found := await self.indexed()) < count or await self.lag():  # noqa: ASYNC110 -- in other processes
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{found} of {count} events arrived in time; {await self.said()}") from None

    async def lag(self) -> int:
        """How many records wait for the workers."""
        answer = (await self.api.get("/readyz")).json()
        return sum(answer["lag"].values()) + answer["behind"] if "behind" in answer else -1

    async def said(self) -> str:
        """The end of what each process has logged, for who looks for the cause."""
        processes: list[Service | Worker] = [*self.services, *self.workers]
        lines = [line for one in processes for line in list(one.lines)[-15:]]
        return f"{(await self.api.get('/readyz')).text}\n" + "\n".join(lines)

    async def raw(self) -> dict[int, list[Record]]:
        """All records of `idp-events`, by partition."""
        return await self._records(IDP_EVENTS)

    async def letters(self) -> list[Record]:
        """All dead letters."""
        return [record for records in (await self._records(DEAD_LETTERS)).values() for record in records]

    async def close(self) -> None:
        """Ends every process, and takes their indexes away: the engine, which others use, can hold so many only."""
        processes: list[Service | Worker] = [*self.services, *self.workers]
        await asyncio.gather(*(one.close() for one in processes))
        with suppress(httpx.HTTPError):  # a test that fails may leave it stopped
            await asyncio.to_thread(self.opensearch.request, "DELETE", f"{self.prefix}-*")

    async def _records(self, stream: str) -> dict[int, list[Record]]:
        log = await KafkaEventLog.open(KafkaConnection.from_url(self.settings["log_url"]))
        try:
            found: dict[int, list[Record]] = {}
            for partition in await log.ends(stream):
                found[partition] = []
                while records := await log.read(
                    stream, partition=partition, start=found[partition][-1].offset + 1 if found[partition] else 0, limit=10_000
                ):
                    found[partition] += records
            return found
        finally:
            await log.close()


@asynccontextmanager
async def system(
    data: Path, kafka: Any, opensearch: Any, openbao: Any, *, workers: int = 0, dice: random.Random, **settings: object
) -> AsyncIterator[tuple[System, Sender]]:
    """A service and workers with all tenants, and a sender to them."""
    made = System(data, kafka, opensearch, openbao, **settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.close)
        await made.serve()
        await asyncio.gather(made.create_tenants(), *(made.work() for _ in range(workers)))
        yield made, await stack.enter_async_context(sender(kafka.bootstrap, made.prefix, dice))
