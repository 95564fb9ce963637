"""A relying party in a process of its own, and what was seen of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from keyvault.survival import Survival
from tests.clients.programs import Program
from tests.daemon import PATIENCE
from tests.processes import spawned


@dataclass
class Party:
    """Its durations are milliseconds.

    Attributes:
        predicted: what the service would tell its developers.
        accepted: how many tokens.
        met_successor: whether it has accepted a token of the key that takes over.
        exposed_for: how long after the compromise it accepted a token of the bad key for the last time.
        refused_for: how long after an emergency key had begun to sign it refused a token of it for the last time.
        refusal: what it said to the bad key's token.
        over: whether it has got over the emergency, as of its last answers.
    """

    name: str
    predicted: Survival
    process: asyncio.subprocess.Process
    accepted: int = 0
    met_successor: bool = False
    exposed_for: int = 0
    refused_for: int = 0
    refusal: str = ""
    over: bool = False

    async def verdict(self, token: str) -> str:
        """What it says to a token: `ok`, or the error's name."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(token.encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            await self.process.stdin.drain()
            line = await self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(f"{self.name} ended: {(await self.process.stderr.read()).decode(errors='replace')[-2000:]}")
        return line.decode().strip()


@asynccontextmanager
async def party(program: Program, predicted: Survival, *arguments: str) -> AsyncIterator[Party]:
    """A running one; `arguments` are the URL of the JWKS, the issuer and the audience."""
    command = (*program.command, *arguments, *program.options)
    async with spawned(command, os.environ, stdin=asyncio.subprocess.PIPE) as process:
        yield Party(program.name, predicted, process)
