"""A wave over thousands of tenants, while relying parties fetch and verify all the time."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from keyvault.rate import Rate
from services.api.published import PublishedFirst
from services.keys.waves import Wave
from services.parts import now_ms
from streams.scope import TenantScope
from tests.engines import embedded
from tests.services.nodes import Node, engines, node, register

pytestmark = [
    embedded,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),  # for the name Ed25519, which few clients know yet
]


@pytest.mark.parametrize(("count", "rate"), [(200, "100/s"), pytest.param(10_000, "200/s", marks=pytest.mark.long)])
async def test_no_relying_party_notices_a_wave(tmp_path: Path, count: int, rate: str) -> None:
    tenants = [f"tenant-{number:05}" for number in range(count)]
    async with engines(tmp_path) as (log, store):
        await register(log, tenants)
        async with node(log, store) as running:
            await running.settled(seconds=1800)
            # Before the standbys are ready: their turns come when they are.
            wave = await running.waves.start(Rate.parse(rate), 0.5, "a test", None, by="operator:test", command=None)
            watching = asyncio.create_task(watch(running, tenants, wave))
            await running.each(lambda ring: ring.requested is None, seconds=1800)
            seen = await watching
            assert running.progress(wave).done == count
            await running.settled(seconds=1800)
        assert store.most <= 3
        assert seen > count / 10


async def watch(running: Node, tenants: list[str], wave: Wave) -> int:
    """Fetches JWKS and has tokens signed, of tenants at random, until the wave is over; how many tokens have verified.

    Every key that a JWKS ever showed stays in it (an old one for an hour), and every token, new or old, verifies.
    """
    dice = random.Random(7)
    served = PublishedFirst(nothing_else, running.publication, now_ms)
    kids: dict[str, set[str]] = {}
    tokens: dict[str, str] = {}
    verified = 0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://test") as client:
        while running.progress(wave).left:
            for tenant in dice.sample(tenants, 20):
                document = await jwks(client, tenant)
                shown = {key["kid"] for key in document["keys"]}
                assert shown >= kids.get(tenant, set())
                assert len(shown) in {2, 3}
                kids[tenant] = shown
                known = KeySet.import_key_set(document)  # type: ignore[arg-type]
                old = tokens.get(tenant)
                [signed] = await running.custodian.sign(TenantScope(tenant), [{"sub": "u"}], "https://test")
                token = tokens[tenant] = signed.token
                for one in (token, old or token):
                    jose.decode(one, known, algorithms=["EdDSA"])
                    verified += 1
    return verified


async def jwks(client: httpx.AsyncClient, tenant: str) -> dict[str, Any]:
    answer = await client.get(f"/t/{tenant}/jwks.json")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']} is no public document")
