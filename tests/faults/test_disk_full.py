"""A full disk: what can't be kept is refused, what was accepted stays, and with room again it goes on by itself.

A limit on the size of files (`RLIMIT_FSIZE`) stands for the disk: writing beyond it fails with EFBIG. It needs no rights, and meets
the log, the index and the key store alike.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.processes import NDJSON, Service, service

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
REALM: Final = "10000000-2222-3333-4444-555555555555"
_LIMIT: Final = 6 << 20
_REQUEST: Final = 200
_UNLIMITED: Final = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


async def post(here: Service, number: int) -> httpx.Response:
    """Sends the `number`-th request of events."""
    events = [
        {"id": f"e{number}-{n}", "time": 1_795_000_000_000, "type": "LOGIN", "realmId": REALM, "details": {"note": "x" * 500}}
        for n in range(_REQUEST)
    ]
    return await here.ask("POST", "/v1/tenants/acme/events", content="\n".join(map(json.dumps, events)), headers=NDJSON)


async def filled(here: Service) -> tuple[int, httpx.Response]:
    """Sends until it is refused: how many requests were accepted before, and the refusal."""
    for number in range(1000):
        answer = await post(here, number)
        if answer.status_code != 202:
            return number, answer
    raise AssertionError("the limit was never met")


async def check(here: Service, accepted: int) -> None:
    """Everything that was accepted is there once, in its order."""
    await here.settled()
    found = [event["event.id"] for event in await here.exported("acme")]
    assert found == [f"e{number}-{n}" for number in range(accepted) for n in range(_REQUEST)]


@pytest.fixture
async def acme(tmp_path: Path) -> Service:
    """A directory with a tenant, stopped."""
    async with service(tmp_path / "data") as here:
        await here.create("acme", {"provider": "keycloak", "realm_id": REALM})
        assert await here.stop() == 0
    return Service(tmp_path / "data")


async def test_on_a_full_disk_ingest_answers_503_and_nothing_accepted_is_lost(acme: Service) -> None:
    try:
        await acme.start(largest_file=_LIMIT)
        accepted, refusal = await filled(acme)
        assert accepted > 0
        assert refusal.status_code == 503, refusal.text
        assert refusal.headers["content-type"] == "application/problem+json"
        assert int(refusal.headers["retry-after"]) > 0
        problem = refusal.json()
        assert problem["type"].endswith("/log-unavailable")
        assert "space" in problem["detail"], "it says what to do"
        assert (await acme.get("/t/acme/jwks.json")).json()["keys"], "served from memory"
        await acme.kill()
        await acme.start()
        await check(acme, accepted)
        assert (await post(acme, accepted)).status_code == 202
        await check(acme, accepted + 1)
    finally:
        await acme.close()


async def test_with_room_again_it_goes_on_without_a_restart(acme: Service) -> None:
    try:
        await acme.start(largest_file=_LIMIT)
        accepted, _ = await filled(acme)
        resource.prlimit(acme.pid, resource.RLIMIT_FSIZE, _UNLIMITED)
        assert (await post(acme, accepted)).status_code == 202
        await check(acme, accepted + 1)
        assert await acme.stop() == 0
    finally:
        await acme.close()


async def test_on_a_full_disk_it_stops_in_order(acme: Service) -> None:
    try:
        await acme.start(largest_file=_LIMIT)
        accepted, _ = await filled(acme)
        assert await acme.stop() == 0
        await acme.start()
        await check(acme, accepted)
    finally:
        await acme.close()


async def test_a_start_without_any_room_says_so(tmp_path: Path) -> None:
    here = Service(tmp_path / "data")
    try:
        await here.launch(largest_file=1000)
        assert await here.ended() == 1
        assert len(here.lines) == 1, here.lines
        assert "disk" in here.lines[0]
        assert "space" in here.lines[0]
    finally:
        await here.close()


_UNSHARE: Final = ("unshare", "--user", "--map-root-user", "--mount")
_MOUNTED: Final = """
mkdir -p "$0" && mount -t tmpfs -o size=12m tmpfs "$0" && cp "$1"/log.sqlite* "$0" && head -c 4m /dev/zero >"$0/filler" || exit 1
shift && exec "$@"
"""
"""Puts the log on a file system of its own, in a name space that ends with the process, and starts the service on it."""


def mountable() -> bool:
    """Whether this machine lets anybody mount a file system in a name space of his own."""
    command = (*_UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    return shutil.which(_UNSHARE[0]) is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def copied(found: Path, to: Path) -> None:
    """Copies the log: what a power cut would leave."""
    for path in found.glob("log.sqlite*"):
        shutil.copy(path, to)


async def test_a_small_file_system_that_is_full(acme: Service, tmp_path: Path) -> None:
    if not mountable():
        pytest.skip("NOT TRIED: ENOSPC. This machine lets nobody mount a small file system (unshare --user --mount)")
    mount = tmp_path / "small"
    here = Service(acme.data, log_url=f"sqlite://{mount}/log.sqlite")
    try:
        await here.start(prefix=(*_UNSHARE, "sh", "-c", _MOUNTED, str(mount), str(acme.data)))
        inside = Path(f"/proc/{here.pid}/root{mount}")
        accepted, refusal = await filled(here)
        assert accepted > 0
        assert refusal.status_code == 503, refusal.text
        assert "free some disk space" in refusal.json()["detail"]
        (inside / "filler").unlink()
        assert (await post(here, accepted)).status_code == 202, "with room again it goes on"
        await check(here, accepted + 1)
        os.kill(here.pid, signal.SIGSTOP)
        copied(inside, acme.data)
        await here.kill()
        await acme.start()
        await check(acme, accepted + 1)
    finally:
        await here.close()
        await acme.close()
