"""CPU time and memory of processes, from /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pids: Iterable[int]) -> float:
    """CPU seconds that the processes have used so far, all their threads, in user and kernel mode.

    Raises:
        AssertionError: one has ended.
    """
    return sum(_seconds(pid) for pid in pids)


def peak_mb(pid: int) -> float:
    """The largest resident memory that the process has had, in megabytes."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


def _seconds(pid: int) -> float:
    # The name, in parentheses, may hold spaces; utime and stime are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert fields[0] not in {"Z", "X"}, f"process {pid} has ended by itself"
    return (int(fields[11]) + int(fields[12])) / _TICKS
