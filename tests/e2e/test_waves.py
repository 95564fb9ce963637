"""Waves from the command line."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon import PATIENCE
from tests.policies import set_before
from tests.processes import Service, argv, environment, service, spawned

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SOON = {"publish_ahead": "PT2S", "clock_skew": "PT0S", "jwks_max_age": "PT1S"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Service]:
    await set_before(tmp_path / "data", {"acme": SOON, "globex": SOON})
    async with service(tmp_path / "data") as running:
        for tenant in ("acme", "globex"):
            await running.create(tenant)
        yield running


async def test_a_wave_is_begun_and_watched_to_its_end(here: Service, tmp_path: Path) -> None:
    result = await here.run("keys", "rotate", "--all", "--wave", "50/s", "--reason", "ticket 4711", "--json")
    assert (result.code, result.err) == (0, "")
    assert (result.json["state"], result.json["done"], result.json["reason"]) == ("finished", 2, "ticket 4711")
    listed = await here.run("keys", "waves", "--json")
    assert listed.json == [result.json]
    assert result.json["id"] in (await here.run("keys", "waves")).out
    (tmp_path / "some").write_text("# those who asked\nacme\n\n")
    some = await here.run("keys", "rotate", "--tenants", str(tmp_path / "some"), "--wave", "50/s", "--json")
    assert (some.json["state"], some.json["tenants"]) == ("finished", 1)


async def test_a_wave_is_left_alone_and_stopped(here: Service) -> None:
    begun = await here.run("keys", "rotate", "--all", "--wave", "1/d", "--jitter", "0", "--no-wait", "--json")
    assert begun.json["state"] == "running"
    wave = begun.json["id"]
    shown = await here.run("keys", "wave", wave, "--no-wait")
    assert shown.code == 0
    assert "running" in shown.out
    again = await here.run("keys", "rotate", "--all", "--wave", "1/d")
    assert again.code == 1
    assert wave in again.err
    stopped = await here.run("keys", "wave", wave, "--stop", "--json")
    assert stopped.json["state"] == "stopped"


async def test_whoever_stops_watching_does_not_stop_the_wave(here: Service) -> None:
    command = argv("keys", "rotate", "--all", "--wave", "1/d")
    async with asyncio.timeout(PATIENCE), spawned(command, environment(here.data, port=here.port)) as process:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Wave "), "it has begun, and is watched"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert process.returncode == 0, err
    assert "goes on" in err.decode()
    assert "running" in out.decode()
    [wave] = json.loads((await here.run("keys", "waves", "--json")).out)
    assert wave["state"] == "running"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["acme", "--all"],
        ["--all"],
        ["acme", "--wave", "1/d"],
        ["--all", "--wave", "1/d", "--activate", "--reason", "x"],
        ["--tenants", "/nowhere", "--wave", "1/d"],
    ],
)
async def test_what_does_not_go_together_is_said(arguments: list[str], tmp_path: Path) -> None:
    async with service(tmp_path / "data", start=False) as nobody:
        result = await nobody.run("keys", "rotate", *arguments)
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "Traceback" not in result.err
