"""Tenantry: its tenants, and its workers as processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from benchmarks.pipeline.events import Realm
from benchmarks.service import ROOT
from services.engines import open_index, open_log
from services.settings import Settings
from services.tenants.sources import SOURCES
from streams.control_log import ControlEvent
from streams.event_log import CONTROL, EventLog, NewRecord
from streams.scope import TenantScope
from streams.source_map import Declaration, SourceMap, as_json
from streams.sources.source import Selector

_AT_ONCE = 4
_CONTROL_RECORDS = 2000
_READY_SECONDS = 120
_STOP_SECONDS = 60
_WORKER = (sys.executable, "-c", "from services.cli import main; main()", "worker")
_SAMPLED = (sys.executable, "-m", "benchmarks.pipeline.sampler")


def declaration(realm: Realm) -> Declaration:
    """The source that the realm's tenant declares."""
    return Declaration("keycloak", (Selector("realm_id", realm.id),))


def source_map(realms: Sequence[Realm]) -> SourceMap:
    """Whose events are whose, as the workers know it."""
    known = SourceMap()
    for realm in realms:
        known.apply(realm.id, [declaration(realm)])
    return known


def create_tenants(environment: Mapping[str, str], realms: Sequence[Realm], *, pooled_from: int | None) -> None:
    """Creates a tenant for each realm, with its index.

    Straight into the control log, without the API's checks and the tenants' keys, which would take minutes for thousands of tenants
    and have no part in what is measured.

    Args:
        environment: names the engines.
        realms: one tenant each.
        pooled_from: tenants from this number on share indexes; None: none does.
    """
    asyncio.run(_create(_settings(environment), realms, len(realms) if pooled_from is None else pooled_from))


async def _create(settings: Settings, realms: Sequence[Realm], separate: int) -> None:
    log = await open_log(settings)
    index = open_index(settings)
    try:
        now = time.time_ns() // 1_000_000
        created = []
        for number, realm in enumerate(realms):
            data = {"display_name": realm.name, "issuer": None} | ({"isolation": "pooled"} if number >= separate else {})
            created.append((realm.id, ControlEvent(type="tenant_created", at=now, by="benchmark", data=data)))
        await _append(log, created)
        sources = [{"owner": realm.id, "sources": [as_json(declaration(realm))]} for realm in realms]
        await _append(log, [(SOURCES, ControlEvent(type="sources_declared", at=now, by="benchmark", data=data)) for data in sources])
        slots = asyncio.Semaphore(_AT_ONCE)

        async def prepare(number: int, realm: Realm) -> None:
            async with slots if number < separate else nullcontext():  # shares are made together, a thousand in a request
                await index.prepare(TenantScope(realm.id), pooled=number >= separate)

        await asyncio.gather(*(prepare(number, realm) for number, realm in enumerate(realms)))
    finally:
        await index.close()
        await log.close()


async def _append(log: EventLog, events: Sequence[tuple[str, ControlEvent]]) -> None:
    partitions: dict[int, list[NewRecord]] = defaultdict(list)
    for key, event in events:
        partitions[await log.partition_of(CONTROL, key)].append(NewRecord(CONTROL, msgspec.json.encode(event), key))
    for records in partitions.values():
        for first in range(0, len(records), _CONTROL_RECORDS):
            await log.append(records[first : first + _CONTROL_RECORDS])


def _settings(environment: Mapping[str, str]) -> Settings:
    values = {name.removeprefix("TENANTRY_").lower(): value for name, value in environment.items()}
    return Settings.model_validate(values)


@contextmanager
def running(directory: Path, environment: Mapping[str, str], count: int, *, sampled: bool = False) -> Iterator[Sequence[int]]:
    """So many workers, while the context is open; their process ids. With `sampled`, each writes where its CPU time goes (see `sampler`).

    Raises:
        AssertionError: one ended by itself, or with an error.
    """
    directory.mkdir()
    command = [*_SAMPLED, str(directory / "samples-{}.json"), "worker"] if sampled else list(_WORKER)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            with (directory / f"worker-{number}.log").open("wb") as output:
                processes.append(
                    subprocess.Popen(
                        [part.replace("{}", str(number)) for part in command],
                        env={**os.environ, **environment},
                        cwd=ROOT,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
        yield [process.pid for process in processes]
        for number, process in enumerate(processes):
            assert process.poll() is None, f"worker {number} ended by itself"
    except AssertionError as error:
        for log in sorted(directory.glob("worker-*.log")):
            error.add_note(f"{log.name}: …{log.read_text()[-2000:]}")
        raise
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(directory: Path, count: int) -> None:
    """Returns when the workers have said that they are at work."""
    deadline = time.monotonic() + _READY_SECONDS
    for number in range(count):
        log = directory / f"worker-{number}.log"
        while b"worker_ready" not in log.read_bytes():
            assert time.monotonic() < deadline, f"a worker was not ready in time: {log.read_text()[-2000:]}"
            time.sleep(0.05)
