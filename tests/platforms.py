"""A platform in this process, and a client of its API: what the tests of services, and of everything above, start from."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.api.app import application
from services.bootstrap import start
from services.platform import Platform
from services.sample.load import FILES
from services.settings import Settings
from streams.event_log import CONTROL, IDP_EVENTS, TENANT_LOG, Record
from tests import engines

REALMS: list[dict[str, str]] = json.loads((FILES[0].parent / "realms.json").read_text())
REALM_IDS = {realm["name"]: realm["id"] for realm in REALMS}


@dataclass(frozen=True)
class Site:
    """A running platform and its operator's client."""

    platform: Platform
    operator: httpx.AsyncClient

    def client(self, token: str | None) -> httpx.AsyncClient:
        """A client with this token, or none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(application(self.platform), raise_app_exceptions=False), base_url="http://test", headers=headers
        )

    async def create(self, tenant: str, *sources: dict[str, str]) -> None:
        """Creates a tenant."""
        body = {"display_name": tenant.capitalize(), "sources": list(sources)}
        answer = await self.operator.put(f"/v1/tenants/{tenant}", json=body)
        assert answer.status_code in {200, 201}, answer.text

    async def token(self, tenant: str, *scopes: str) -> httpx.AsyncClient:
        """A client with a new token of the tenant."""
        body = {"name": "-".join(scopes), "scopes": list(scopes)}
        answer = await self.operator.post(f"/v1/tenants/{tenant}/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return self.client(answer.json()["token"])

    async def records(self, stream: str) -> list[Record]:
        """The stream's first records, of all its partitions."""
        log = self.platform.log
        return [record for partition in await log.ends(stream) for record in await log.read(stream, partition=partition)]

    async def settled(self) -> None:
        """Returns when everything that is in the log can be found."""
        for stream, group in ((IDP_EVENTS, "router"), ("control", "audit"), (TENANT_LOG, "index")):
            ends = await self.platform.log.ends(stream)
            async with self.platform.log.follow(stream, None, start=ends) as waking:
                while _behind(await self.platform.log.cursors(stream, group), ends):
                    await waking.next(0.02)  # woken by every append; the cursor's own moves are seen at the latest then
        async with self.platform.log.follow(CONTROL, None, start=await self.platform.log.ends(CONTROL)) as waking:
            while self.platform.processor.behind or self.platform.preparation.left:
                await waking.next(0.02)


def _behind(cursors: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return any(cursors.get(partition, 0) < end for partition, end in ends.items())


@asynccontextmanager
async def site(data: Path, **settings: Any) -> AsyncIterator[Site]:
    """A platform on the directory."""
    async with start(Settings(data=data, **{**engines.settings(data), **settings})) as platform:
        token = (data / "operator.token").read_text().strip()
        unopened = Site(platform, httpx.AsyncClient())
        operator = unopened.client(token)
        async with operator:
            yield Site(platform, operator)
        await unopened.operator.aclose()


def keycloak(realm: str) -> dict[str, str]:
    """The declaration of a recorded realm."""
    return {"provider": "keycloak", "realm_id": REALM_IDS[realm], "realm": realm}


def recorded(*names: str) -> list[dict[str, Any]]:
    """The recorded events, straight from the files."""
    found: list[dict[str, Any]] = []
    for path in FILES:
        if not names or path.name.removesuffix(".ndjson.gz") in names:
            with gzip.open(path) as lines:
                found += [json.loads(line) for line in lines]
    return found
