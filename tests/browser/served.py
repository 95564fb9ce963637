"""`tenantry serve` for the browser: a process of its own, with the sample tenants, that ends when the tests do."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from tests import processes
from tests.daemon import PATIENCE, ROOT
from tests.servers.process import Server, free_port

_POLL_SECONDS: Final = 0.03


class Tenantry(Server):
    """The service on a temporary data directory, embedded.

    Args:
        settings: as for `processes.environment`: `public_url=…` is TENANTRY_PUBLIC_URL.
    """

    name = "tenantry"
    ready = re.compile(r"Tenantry listens on ")

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {"sample": 1, **settings, "data": self.directory / "data", "port": self.port}

    def command(self) -> Sequence[str]:
        """The service."""
        return processes.argv("serve")

    def environment(self) -> Mapping[str, str]:
        """Its settings; and where its modules are, as it runs in another directory."""
        given = {f"TENANTRY_{name.upper()}": str(value) for name, value in self._settings.items()}
        return {"PYTHONPATH": str(ROOT), **given}

    def wait_until_ready(self) -> None:
        """Returns when it serves, and the sample's events can be found."""
        super().wait_until_ready()
        settled(self.url, self.operator)

    @property
    def operator(self) -> str:
        """The operator's token, which the first start has left."""
        return (self.directory / "data" / "operator.token").read_text().strip()


def settled(url: str, operator: str) -> None:
    """Returns when everything that is in the service's log can be found. Nothing tells across processes, so it is asked for."""
    deadline = time.monotonic() + PATIENCE
    headers = {"Authorization": f"Bearer {operator}"}
    while any((said := httpx.get(f"{url}/readyz", headers=headers, timeout=PATIENCE).json())["lag"].values()) or said["behind"]:
        assert time.monotonic() < deadline, said
        time.sleep(_POLL_SECONDS)
