"""Start of a service with thousands of tenants: seconds until it is ready, and its memory; against itself with ten.

The data directory is made without keys and events, as its start takes neither: what it reads are the control log (each tenant's key ring
after a rotation: three RSA keys, seven events) and one directory of an index and one of keys for each tenant.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sqlite3
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.service import served
from keyvault import base64url, events
from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from services.keys.rings import control_event
from streams.control_log import ControlEvent
from streams.event_log import CONTROL, NewRecord
from streams.log_sqlite import SqliteEventLog

_TENANTS: Final = 10_000
_FEW: Final = 10
_PART: Final = 500


def run(count: int | None, runs: int, *, tenants: int = _TENANTS) -> dict[str, Any]:  # noqa: ARG001 -- there are no events
    """The figures: medians of all runs."""
    laps: dict[int, list[tuple[float, float, float]]] = {tenants: [], _FEW: []}
    with tempfile.TemporaryDirectory() as directory:
        for number in laps:
            _make(Path(directory) / str(number), number)
        for _ in range(runs):
            for number, measured in laps.items():
                measured.append(_lap(Path(directory) / str(number), number))
    seconds, heap, served_heap = (statistics.median(lap) for lap in zip(*laps[tenants], strict=True))
    few = [statistics.median(lap) for lap in zip(*laps[_FEW], strict=True)]
    return {
        "tenants": tenants,
        "ready_s": seconds,
        "heap_mb": heap,
        "heap_when_every_jwks_was_fetched_mb": served_heap,
        "peer": f"the same with {_FEW} tenants",
        "peer_ready_s": few[0],
        "peer_heap_mb": few[1],
        "ratio": few[0] / seconds,
    }


def _lap(data: Path, tenants: int) -> tuple[float, float, float]:
    started = time.perf_counter()
    with served(data, sample=False) as service:
        _get(f"{service.url}/readyz")
        seconds = time.perf_counter() - started
        heap = service.heap_mb
        for number in range(tenants):
            _get(f"{service.url}/t/{_name(number)}/jwks.json")
        return seconds, heap, service.heap_mb


def _get(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        answer.read()


def _make(data: Path, tenants: int) -> None:
    with served(data, sample=False) as service:  # the first start makes the rest
        service.command("tenants", "put", "first", "--name", "First")
        pattern = data / "index" / "first"
    _copy(pattern, data, tenants)
    asyncio.run(_append(data, tenants))
    with closing(sqlite3.connect(data / "log.sqlite")) as connection, connection:
        # The audit has nothing to tell the tenants' logs.
        connection.execute(f"INSERT OR REPLACE INTO cursors SELECT '{CONTROL}', 'audit', max(offset) + 1 FROM \"{CONTROL}\"")


def _copy(pattern: Path, data: Path, tenants: int) -> None:
    for number in range(tenants):
        shutil.copytree(pattern, data / "index" / _name(number))
        keys = data / "keys" / _name(number)
        keys.mkdir()
        for ordinal in (1, 2, 3):
            (keys / f"{ordinal}-RS256.key").write_bytes(b"{}")


async def _append(data: Path, tenants: int) -> None:
    log = SqliteEventLog(data / "log.sqlite")
    try:
        for first in range(0, tenants, _PART):
            await log.append([record for number in range(first, min(first + _PART, tenants)) for record in _records(_name(number))])
    finally:
        await log.close()


def _records(tenant: str) -> Iterator[NewRecord]:
    now = time.time_ns() // 1_000_000
    created = ControlEvent(type="tenant_created", at=now, by="benchmark", data={"display_name": tenant, "issuer": None})
    for event in (created, *(control_event(one, "benchmark", None) for one in _rotated(now))):
        yield NewRecord(CONTROL, msgspec.json.encode(event), tenant)


def _rotated(now: int) -> Sequence[events.KeyEvent]:
    first, second, third = (_jwk() for _ in range(3))
    lifetime = 3_600_000
    return (
        events.KeyPrepared(at=now, kid=first.kid, ordinal=1, algorithm=first.alg, jwk=first),
        events.KeyActivated(at=now, kid=first.kid, token_lifetime=lifetime),
        events.KeyPrepared(at=now, kid=second.kid, ordinal=2, algorithm=second.alg, jwk=second),
        events.KeyDeactivated(at=now, kid=first.kid, publish_until=now + 24 * lifetime),
        events.KeyActivated(at=now, kid=second.kid, token_lifetime=lifetime),
        events.KeyPrepared(at=now, kid=third.kid, ordinal=3, algorithm=third.alg, jwk=third),
    )


def _jwk() -> PublicJwk:
    modulus, kid = base64url.encode(secrets.token_bytes(256)), base64url.encode(secrets.token_bytes(32))
    return PublicJwk(kty="RSA", kid=kid, alg=Algorithm.RS256, use="sig", n=modulus, e="AQAB")


def _name(number: int) -> str:
    return f"tenant-{number:05}"
