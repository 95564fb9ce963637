"""Where fetched servers are kept between runs: made once, whole or not at all, however many processes ask."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


class Missing(Exception):
    """A server can't be fetched on this machine; the message says what is missing."""


def root() -> Path:
    """The cache. Not in root's home, where a server that refuses to run as root could not read it."""
    if named := os.environ.get("SERVERS_CACHE"):
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/tmp/tenantry-servers")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tenantry-servers"


def entry(name: str) -> Path:
    """Where the entry is, or would be."""
    return root() / name


def once(name: str, build: Callable[[Path], None]) -> Path:
    """The entry `name`: made by `build` in an empty directory unless it is there, and moved to its place when it is whole.

    Raises:
        Missing: `build` says so.
    """
    place = entry(name)
    if place.exists():
        return place
    root().mkdir(mode=0o755, parents=True, exist_ok=True)
    with (root() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place
        making = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root()))
        try:
            making.chmod(0o755)
            build(making)
            making.rename(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return place
