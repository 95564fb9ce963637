"""A served Tenantry, for benchmarks that measure a whole process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_COMMAND = [sys.executable, "-c", "from services.cli import main; main()"]


class Served(NamedTuple):
    """A running service."""

    url: str
    pid: int
    environment: dict[str, str]

    def command(self, *arguments: str) -> None:
        """Runs a `tenantry` command on its data directory."""
        subprocess.run([*_COMMAND, *arguments], env=self.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    @property
    def heap_mb(self) -> float:
        """Its own memory, in megabytes, without the pages of mapped files (the indexes), which the kernel takes back."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) / 1024


@contextmanager
def served(data: Path, *, sample: bool = True, **settings: str) -> Iterator[Served]:
    """A service, by default with the sample tenants, with these settings (`TENANTRY_…`) besides, ended with the context."""
    own = {"TENANTRY_DATA": str(data), "TENANTRY_PORT": "0", "TENANTRY_SAMPLE": str(int(sample))}
    environment = {**os.environ, **own, **settings}
    process = subprocess.Popen([*_COMMAND, "serve"], env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = next(match[1] for line in process.stderr if (match := re.search(r"listens on (\S+)", line)))
        yield Served(url, process.pid, {**environment, "TENANTRY_URL": url})
    finally:
        process.terminate()
        process.communicate(timeout=60)
