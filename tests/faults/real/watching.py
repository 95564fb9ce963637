"""Relying parties, played: they ask for JWKS and discovery all the time, and must be answered all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
    """What was seen: how many answers, and how long the slowest took."""

    answers: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


@asynccontextmanager
async def watched(service: Service) -> AsyncIterator[Watched]:
    """Within it, every tenant's published documents are asked for; behind it, all of them were answered at once."""
    seen = Watched()
    task = asyncio.create_task(_ask(service.url, seen))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert seen.wrong == []
    assert seen.answers > 0
    assert seen.slowest < _SLOWEST_SECONDS


async def _ask(url: str, seen: Watched) -> None:
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=30) as client:
        while True:
            for tenant in REALMS:
                for path in PATHS:
                    begun = loop.time()
                    try:
                        answer = await client.get(f"{url}/t/{tenant}/{path}")
                    except httpx.HTTPError as error:
                        seen.wrong.append(f"{tenant}/{path}: {error!r}")
                        continue
                    seen.slowest = max(seen.slowest, loop.time() - begun)
                    seen.answers += 1
                    if answer.status_code != 200 or not _whole(path, answer.json()):
                        seen.wrong.append(f"{tenant}/{path}: {answer.status_code} {answer.text[:200]}")
                await asyncio.sleep(_PAUSE_SECONDS)  # leaves the processor to those who work


def _whole(path: str, document: dict[str, Any]) -> bool:
    return bool(document["keys"] if path == PATHS[0] else document["jwks_uri"])
