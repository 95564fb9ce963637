"""A real Prometheus and its promtool: Debian's, installed or taken out of its package."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.servers import cache, tools
from tests.servers.process import Server, free_port

_PROGRAMS: Final = ("prometheus", "promtool")


def fetch() -> Path:
    """The directory of the programs: installed, or else from Debian's package `prometheus`, which is unpacked and not installed.

    Raises:
        Missing: they are not here, and can't be had from the package.
    """
    found = [shutil.which(program) for program in _PROGRAMS]
    if found[0] and found[1] and Path(found[0]).parent == Path(found[1]).parent:
        return Path(found[0]).parent
    return cache.once("prometheus-debian", _build) / "usr/bin"


def _build(directory: Path) -> None:
    try:
        tools.run("apt-get", "download", "prometheus", cwd=directory)
    except cache.Missing:  # as on a machine that has never asked what there is
        tools.run("apt-get", "update")
        tools.run("apt-get", "download", "prometheus", cwd=directory)
    [package] = directory.glob("prometheus_*.deb")
    tools.run("dpkg-deb", "--extract", str(package), str(directory))
    package.unlink()


class Prometheus(Server):
    """Scrapes what it is told, as often as it is told, and answers PromQL.

    Args:
        targets: by job, the addresses (`host:port`) of what it scrapes.
        rules: a file of rules.
        interval: seconds from one scrape to the next.
    """

    name = "prometheus"
    ready = re.compile(r"Server is ready to receive web requests")

    def __init__(self, targets: Mapping[str, Sequence[str]], rules: Path | None = None, interval: float = 2) -> None:
        super().__init__()
        self._program = fetch() / "prometheus"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        every = f"{int(interval * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(found)}]} for job, found in targets.items()],
        }
        self._configuration = self.directory / "prometheus.yml"
        self._configuration.write_text(yaml.safe_dump(configuration))

    def command(self) -> Sequence[str]:
        """The server."""
        options = {
            "config.file": self._configuration,
            "storage.tsdb.path": self.directory / "data",
            "web.listen-address": f"127.0.0.1:{self.port}",
        }
        return [str(self._program), *(f"--{name}={value}" for name, value in options.items())]

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The series that it answers now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=30)
        assert answer.is_success, f"{promql}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The rules as they were read, with their state."""
        answer = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]
