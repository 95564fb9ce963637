"""What a closed adapter must not leave behind: tasks, and errors that nobody has looked at."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

_TAKEN_OUT = "MessageAccumulator._pop_batch"
"""aiokafka takes a batch that expires while it waits to be sent again out of a list twice: an error in its log, and no more."""


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
        assert not left, f"{len(left)} tasks are left:\n{_stacks(left)}"
        gc.collect()
        said = [context for context in said if not (_TAKEN_OUT in context["message"] and isinstance(context.get("exception"), KeyError))]
        assert not said, "\n".join(f"{context['message']}: {context.get('exception')!r}, {_what(context)}" for context in said)
    finally:
        loop.set_exception_handler(None)


def _stacks(tasks: Iterable[asyncio.Task[Any]]) -> str:
    """Where each task is, outermost frame first: a task that waits shows what for."""
    text = io.StringIO()
    for task in tasks:
        text.write(f"--- {task.get_name()}, {'being cancelled' if task.cancelling() else 'not cancelled'}\n")
        task.print_stack(file=text)
    return text.getvalue()


def _what(context: dict[str, Any]) -> str:
    """The task or future that it is about, with where it was made if the loop is in its debug mode."""
    return repr(context.get("task") or context.get("future") or context.get("handle"))
