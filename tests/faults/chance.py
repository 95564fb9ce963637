"""Chance that can be repeated, and a service that is killed by it."""

from __future__ import annotations

import asyncio
import os
import random
import secrets

from tests.processes import Service


def chance() -> random.Random:
    """Random choices; a test that fails shows how to repeat them."""
    seed = int(os.environ.get("FAULT_SEED") or secrets.randbelow(1 << 32))
    print(f"FAULT_SEED={seed} repeats these random choices")
    return random.Random(seed)


class Killed:
    """A service, `kill -9` at random moments, also while it starts, and who uses it meanwhile."""

    def __init__(self, here: Service, dice: random.Random) -> None:
        self.here = here
        self.dice = dice
        self.over = asyncio.Event()
        """Set when there will be no more kills."""
        self.up = asyncio.Event()
        """Set while it can be asked. Cleared before each kill, so whose request fails can wait for it."""
        self.up.set()

    async def kill(self, *, longest: float) -> None:
        """Kills it within so many seconds, and starts it again: it must come back by itself."""
        await asyncio.sleep(self.dice.uniform(0, longest))  # the random moment
        self.up.clear()
        await self.here.kill()
        while self.dice.random() < 0.25:
            await self.here.launch()
            await asyncio.sleep(self.dice.uniform(0, 2))  # likewise, while it starts
            await self.here.kill()
        await self.here.start()
