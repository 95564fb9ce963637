"""What a closed adapter must not leave behind: tasks, and errors that nobody has looked at."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def none_left() -> AsyncIterator[None]:
    """Within it adapters are opened and closed; behind it nothing of them is left."""
    loop = asyncio.get_running_loop()
    said: list[dict[str, Any]] = []
    tasks = asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        yield
        gc.collect()
        for _ in range(50):
            if not (left := asyncio.all_tasks() - tasks - {asyncio.current_task()}):
                break
            await asyncio.wait(left, timeout=0.1)  # they are ending
        assert not left, left
        gc.collect()
        assert not said, [(context["message"], context.get("exception"), context.get("future")) for context in said]
    finally:
        loop.set_exception_handler(None)
