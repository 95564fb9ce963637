"""Relying parties, played: they ask for JWKS and discovery all the time, and must be answered all the time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from tests.faults.real.sending import REALMS
from tests.processes import Service

PATHS: Final = ("jwks.json", ".well-known/openid-configuration")
_SLOWEST_SECONDS: Final = 5.0
"""Whatever is away: an answer that waits for an engine's time-out takes longer."""
_PAUSE_SECONDS: Final = 0.02


@dataclass
class Watched:
    """What was seen: how many answers, how long the slowest took, and which and when that was."""

    answers: int = 0
    slowest: float = 0.0
    slowest_at: str = ""
    wrong: list[str] = field(default_factory=list)


@asynccontextmanager
async def watched(service: Service) -> AsyncIterator[Watched]:
    """Within it, every tenant's published documents are asked for; behind it, all of them were answered at once."""
    seen, over = Watched(), threading.Event()
    asking = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(_ask(service.url, seen, over))))
    try:
        yield seen
    finally:
        over.set()
        await asyncio.wait({asking})
    asking.result()
    assert seen.wrong == []
    assert seen.answers > 0
    assert seen.slowest < _SLOWEST_SECONDS, seen.slowest_at


async def _ask(url: str, seen: Watched, over: threading.Event) -> None:
    """In a loop of its own: whoever counts tens of thousands of events in the test's would make the answers look slow."""
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=30) as client:
        while not over.is_set():
            for tenant in REALMS:
                for path in PATHS:
                    begun = loop.time()
                    try:
                        answer = await client.get(f"{url}/t/{tenant}/{path}")
                    except httpx.HTTPError as error:
                        seen.wrong.append(f"{tenant}/{path}: {error!r}")
                        continue
                    if (took := loop.time() - begun) > seen.slowest:
                        seen.slowest, seen.slowest_at = took, f"{tenant}/{path}, {datetime.now(UTC):%H:%M:%S}"
                    seen.answers += 1
                    if answer.status_code != 200 or not _whole(path, answer.json()):
                        seen.wrong.append(f"{tenant}/{path}: {answer.status_code} {answer.text[:200]}")
                await asyncio.sleep(_PAUSE_SECONDS)  # leaves the processor to those who work


def _whole(path: str, document: dict[str, Any]) -> bool:
    return bool(document["keys"] if path == PATHS[0] else document["jwks_uri"])
