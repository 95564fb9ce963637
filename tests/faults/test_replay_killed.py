"""`kill -9` during replays: an index built anew, and dead letters that come back, are whole in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.faults.chance import chance
from tests.processes import Service, argv, environment, ndjson, service, spawned

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
REALM: Final = "10000000-2222-3333-4444-555555555555"
SOURCE: Final = {"provider": "keycloak", "realm_id": REALM}
EVENTS: Final = 10_000


def login(number: int) -> dict[str, Any]:
    return {"id": f"e{number}", "time": 1_795_000_000_000 + number, "type": "LOGIN", "realmId": REALM, "clientId": f"client-{number % 7}"}


async def taken(here: Service, directory: Path, code: int = 0) -> None:
    """Has the service take all events in, by a command that ends with this code."""
    file = ndjson(directory / "events.ndjson", map(login, range(EVENTS)))
    ran = await here.run("ingest", "--source", "keycloak", "--wait", str(file))
    assert ran.code == code, ran.err


async def answers(here: Service) -> Any:
    """What the tenant is told."""
    return [event["event.id"] for event in await here.exported("acme")], await here.counts("acme", "client.id")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Service]:
    async with service(tmp_path / "data") as running:
        yield running


async def killed_command(here: Service, dice: random.Random, *arguments: str, longest: float) -> None:
    """Starts a command, and kills it within so many seconds."""
    async with spawned(argv(*arguments), environment(here.data, port=1)) as process:
        await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=dice.uniform(0, longest))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_a_service_killed_during_a_rebuild_answers_as_before(here: Service, tmp_path: Path, kills: int) -> None:
    dice = chance()
    await here.create("acme", SOURCE)
    await taken(here, tmp_path)
    before = await answers(here)
    assert before[0] == [f"e{number}" for number in range(EVENTS)]
    for _ in range(kills):
        rebuilding = asyncio.create_task(here.post("/v1/tenants/acme/events/rebuild", {}))
        await asyncio.wait((rebuilding,), timeout=dice.uniform(0, 1))  # the random moment
        await here.kill()
        [outcome] = await asyncio.gather(rebuilding, return_exceptions=True)
        assert isinstance(outcome, httpx.Response | httpx.TransportError)
        await here.start()
        assert await answers(here) == before
    assert (await here.post("/v1/tenants/acme/events/rebuild", {})).status_code == 200
    assert await answers(here) == before
    assert len(list((here.data / "index" / "acme").glob("gen-*"))) == 1, "what the kills left is cleared away"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_a_replay_killed_while_nobody_serves_leaves_the_old_answers(here: Service, tmp_path: Path, kills: int) -> None:
    dice = chance()
    await here.create("acme", SOURCE)
    await taken(here, tmp_path)
    before = await answers(here)
    assert await here.stop() == 0
    for _ in range(kills):
        await killed_command(here, dice, "replay", "--tenant", "acme", longest=4)
    await here.start()
    assert await answers(here) == before


@pytest.mark.timeout(900)
async def test_a_lost_index_whose_rebuild_is_killed_comes_back(here: Service, tmp_path: Path) -> None:
    dice = chance()
    await here.create("acme", SOURCE)
    await taken(here, tmp_path)
    before = await answers(here)
    assert await here.stop() == 0
    for path in sorted((here.data / "index" / "acme").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for _ in range(2):
        await here.launch()
        await asyncio.sleep(dice.uniform(0.5, 3))  # the random moment, while it starts and builds
        await here.kill()
    await here.start()
    await here.settled()
    assert await answers(here) == before


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [3, pytest.param(15, marks=pytest.mark.long)])
async def test_dead_letters_whose_replay_is_killed_come_back_once(here: Service, tmp_path: Path, kills: int) -> None:
    dice = chance()
    await taken(here, tmp_path, code=3)
    listed = await here.run("replay", "--dead-letters", "--dry-run", "--json")
    assert listed.json["reasons"] == {"unknown_tenant_source": EVENTS}
    await here.create("acme", SOURCE)
    for number in range(kills):
        await killed_command(here, dice, "replay", "--dead-letters", longest=4)
        if number % 2:
            await here.kill()
            await here.start()
    assert (await here.run("replay", "--dead-letters")).code == 0
    await here.settled()
    ids, _ = await answers(here)
    assert ids == [f"e{number}" for number in range(EVENTS)]
    assert (await here.run("replay", "--dead-letters", "--dry-run", "--json")).json["reasons"] == {}
