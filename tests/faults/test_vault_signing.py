"""Vault sealed, killed or hanging while tokens are asked for: soon every request is refused at once, with the time to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.platforms import Site, site
from tests.servers.fixtures import made
from tests.servers.openbao import OpenBao

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "localhost"])
TENANTS = ("acme", "globex")
AT_ONCE = "try again in"
PATIENCE = 60.0
"""Seconds, in all; a bound, and no measure."""
TROUBLES = {"sealed": (OpenBao.seal, OpenBao.unseal), "killed": (OpenBao.kill, OpenBao.start), "hanging": (OpenBao.pause, OpenBao.go_on)}


@pytest.fixture
def bao() -> Iterator[OpenBao]:
    """A server of the test's own."""
    with made(OpenBao, "openbao") as server:
        yield server


@pytest.fixture
async def here(bao: OpenBao, tmp_path: Path) -> AsyncIterator[Site]:
    """A service with its keys there; its calls take three seconds at most."""
    url = f"vault://127.0.0.1:{bao.port}/{bao.mount()}?tls=false&timeout=3"
    async with site(tmp_path / "data", keys_url=url, vault_token=bao.root_token) as here:
        for tenant in TENANTS:
            await here.create(tenant)
        yield here


async def sign(here: Site, tenant: str = "acme") -> httpx.Response:
    return await here.operator.post(f"/v1/tenants/{tenant}/tokens/sign", json={"claims": {"sub": "ada"}})


async def signed(here: Site) -> str:
    """Asks as a client should: again when it was told to. The `kid` of the token that it gets."""
    while (answer := await sign(here)).status_code != 200:  # noqa: ASYNC110 -- what is waited for is the time
        await asyncio.sleep(int(answer.headers["retry-after"]))
    kid: str = answer.json()["kid"]
    return kid


async def refused_at_once(here: Site) -> None:
    """Returns when Vault is not asked any more, for whichever tenant; whatever is answered until then is a 503, too."""
    while True:
        answers = await asyncio.gather(*(sign(here, tenant) for tenant in TENANTS * 4))
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["type"].endswith("key-store-unavailable")
            assert "can't be used now" in answer.json()["detail"]
        if all(AT_ONCE in answer.json()["detail"] for answer in answers):
            return


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_signing_is_refused_at_once_and_comes_back_by_itself(bao: OpenBao, here: Site, trouble: str) -> None:
    happens, ends = TROUBLES[trouble]
    assert (await sign(here)).status_code == 200
    jwks = (await here.client(None).get("/t/acme/jwks.json")).content
    await asyncio.to_thread(happens, bao)
    async with asyncio.timeout(PATIENCE):
        await refused_at_once(here)
        assert (await here.client(None).get("/t/acme/jwks.json")).content == jwks
        await asyncio.to_thread(ends, bao)
        await signed(here)
        assert (await sign(here, "globex")).status_code == 200


async def test_a_leaked_key_leaves_at_once_though_vault_hangs(bao: OpenBao, here: Site) -> None:
    active = here.platform.rings.of("acme").active
    assert active is not None
    bao.pause()
    async with asyncio.timeout(PATIENCE):
        await refused_at_once(here)
        answer = await here.operator.post(f"/v1/tenants/acme/keys/{active.kid}/compromise", json={"reason": "a test"})
        assert answer.status_code == 200, answer.text
        assert active.kid not in (await here.client(None).get("/t/acme/jwks.json")).text
        bao.go_on()
        assert await signed(here) != active.kid


async def test_requests_that_arrive_together_are_signed_together(bao: OpenBao, tmp_path: Path) -> None:
    url = f"vault://127.0.0.1:{bao.port}/{bao.mount()}?tls=false"
    async with site(tmp_path / "data", keys_url=url, vault_token=bao.root_token) as here, asyncio.timeout(PATIENCE):
        await here.create("acme")
        requests, messages = _signed()
        waiting = here.platform.store._store._batches._lanes  # type: ignore[attr-defined]
        bao.pause()
        asked = [asyncio.create_task(sign(here)) for _ in range(60)]
        # The first two went alone, and two full ones (RS256: 16) beside them.
        while not (waiting and len(next(iter(waiting.values())).waiting) == 26):  # noqa: ASYNC110 -- nobody is told
            await asyncio.sleep(0)
        bao.go_on()
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
        made, signed = (after - before for after, before in zip(_signed(), (requests, messages), strict=True))
        assert signed == 60
        assert made <= 7, "one more full one, and what is left in two halves at most"


def _signed() -> tuple[float, float]:
    """How many requests to sign Vault had, and of how many messages."""
    requests, messages = (REGISTRY.get_sample_value(f"tenantry_vault_batch_messages_{what}") for what in ("count", "sum"))
    assert requests is not None
    assert messages is not None
    return requests, messages
