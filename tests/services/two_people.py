"""Two people at the keys of a tenant, over HTTP: what the tests of dual control ask with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from tests.platforms import Site

KEYS = "/v1/tenants/acme/keys"
WHY = {"reason": "found in a public repository"}
EVERYTHING = ["compromise", "destroy", "force"]


async def set_policy(site: Site, **policy: Any) -> httpx.Response:
    answer = await site.operator.put(f"{KEYS}/policy", json=policy)
    assert answer.is_success, answer.text
    return answer


async def person(site: Site, name: str, *scopes: str, tenant: str = "acme", by: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
    """Somebody with a token of their own, minted by the operator, or by `by`."""
    body = {"name": name, "scopes": list(scopes or ("keys:read", "keys:rotate", "keys:revoke"))}
    answer = await (by or site.operator).post(f"/v1/tenants/{tenant}/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return site.client(answer.json()["token"])


async def ring(site: Site) -> dict[str, dict[str, Any]]:
    return {key["kid"]: key for key in (await site.operator.get(KEYS)).json()["keys"]}


async def kids(site: Site) -> Sequence[str]:
    """Of the JWKS: first the key that signs."""
    return [key["kid"] for key in (await site.client(None).get("/t/acme/jwks.json")).json()["keys"]]


async def ask(who: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    answer = await who.post(f"{KEYS}/{path}", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    asked: dict[str, Any] = answer.json()
    assert (asked["outcome"], asked["state"]) == ("pending", "pending")
    assert answer.headers["location"] == f"{KEYS}/approvals/{asked['id']}"
    assert asked["approve"] == f"{KEYS}/approvals/{asked['id']}/approve"
    return asked


async def refused(answer: httpx.Response, status: int, slug: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].endswith(f"/{slug}")
    return str(answer.json()["detail"])
