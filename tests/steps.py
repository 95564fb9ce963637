"""Kills a piece of work at each of its steps: before it opens a file for writing, renames, links, removes, makes a directory.

To be used in a process of its own without other threads, since it forks: `alone` starts one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
_STEPS: Final = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect"}
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOST: Final = 1000


def at_each(work: Callable[[], object], before: Callable[[], object], after: Callable[[int], object]) -> int:
    """Does the work again and again, killed one step later each time, until it ends by itself; how many steps it has.

    Args:
        work: what is killed (SIGKILL).
        before: makes everything as it was, before each time.
        after: is told after how many steps it was killed, and checks what is left.
    """
    for step in range(_MOST):
        before()
        child = os.fork()
        if child == 0:
            _child(work, step)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the work failed"
            return step
        assert os.WTERMSIG(status) == signal.SIGKILL
        after(step)
    raise AssertionError("it never ends")


def alone(function: str, *arguments: object) -> str:
    """Calls `module:name` with the arguments, as text, in a process of its own, and answers what it printed."""
    module, _, name = function.partition(":")
    program = f"import sys; from {module} import {name}; {name}(*sys.argv[1:])"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _child(work: Callable[[], object], step: int) -> None:
    left = step

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _STEPS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    try:
        sys.addaudithook(hook)
        work()
    except BaseException as error:  # noqa: BLE001 -- the parent must not be continued here
        sys.stderr.write(f"step {step}: {error!r}\n")
        os._exit(1)
    os._exit(0)
