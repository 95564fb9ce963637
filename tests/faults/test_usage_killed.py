"""`kill -9` of a node that has counted: what it had written down is still there, what it had not is lost, and nothing is counted twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines import embedded
from tests.processes import Service, service

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), embedded]


async def sign(here: Service, count: int) -> None:
    for number in range(count):
        answer = await here.post("/v1/tenants/acme/tokens/sign", {"claims": {"client_id": "web", "sub": f"user {number}"}})
        assert answer.status_code == 200, answer.text


async def usage(here: Service) -> dict[str, Any]:
    await here.settled()
    keys = (await here.get("/v1/tenants/acme/keys")).json()["keys"]
    [kid] = [key["kid"] for key in keys if key["state"] == "active"]
    found: dict[str, Any] = (await here.get(f"/v1/tenants/acme/keys/{kid}/usage")).json()
    return found


async def test_what_a_killed_node_had_not_written_down_is_lost_and_said_to_be(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        await sign(here, 4)
        assert await here.stop() == 0
        await here.start()
        assert (await usage(here))["signatures"] == 4
        await sign(here, 3)
        assert (await usage(here))["signatures"] == 7
        await here.kill()
        await here.start()
        found = await usage(here)
        assert (found["signatures"], found["subjects"]) == (4, 4)
        assert "killed" in found["counted"]
        await sign(here, 1)
        assert (await usage(here))["signatures"] == 5
