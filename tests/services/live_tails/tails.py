"""What the tests of live tails send, and what they read of it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.platforms import Site
from tests.processes import NDJSON, OWN
from tests.served import listening


def okta(identifier: str, **more: Any) -> dict[str, Any]:
    return {"uuid": identifier, "published": "2026-11-23T10:00:00Z", "eventType": "user.session.start", **more}


async def send(here: Site, *identifiers: str, tenant: str = "acme") -> None:
    body = b"\n".join(json.dumps(okta(identifier)).encode() for identifier in identifiers)
    answer = await here.operator.post(f"/v1/tenants/{tenant}/events?source=okta", content=body, headers=NDJSON)
    assert answer.status_code == 202, answer.text


async def exported(here: Site, tenant: str = "acme") -> list[str]:
    answer = await here.operator.get(f"/v1/tenants/{tenant}/events/export", params={"q": OWN})
    return [json.loads(line)["event.id"] for line in answer.text.split("\n") if line]


async def status(client: httpx.AsyncClient, last: str | None = None, tenant: str = "acme", **params: str) -> tuple[int, str]:
    """The status of a live tail that is not listened to, and its problem if it does not begin."""
    try:
        async with listening(client, tenant, last=last, **params):
            return 200, ""
    except httpx.HTTPStatusError as error:
        refused = error.response
    kind = str(refused.json()["type"]).rpartition("/")[2] if refused.headers["content-type"] == "application/problem+json" else "no problem"
    return refused.status_code, kind
