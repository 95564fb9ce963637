"""On which engines the tests of the service run: embedded, or with ENGINES=real on Kafka, OpenSearch and OpenBao, unchanged.

Each data directory has a prefix of its own there, so that a service that is started on it again finds what it left.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

REAL: Final = os.environ.get("ENGINES") == "real"
_servers: dict[str, Any] = {}

embedded = pytest.mark.skipif(REAL, reason="about the embedded engines themselves")
"""Marks tests of what only the embedded engines have: their files, their one process."""


def use(kafka: Any, opensearch: Any, openbao: Any) -> None:
    """These are the servers of this run."""
    _servers.update(kafka=kafka, opensearch=opensearch, openbao=openbao)


def settings(data: Path) -> dict[str, Any]:
    """The settings, by their names in `services.settings`, that put what belongs to the directory on the engines of this run."""
    return on_servers(data, **_servers) if REAL else {}


def on_servers(data: Path, kafka: Any, opensearch: Any, openbao: Any) -> dict[str, Any]:
    """The settings for these servers."""
    prefix = "t" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    mounts = httpx.get(f"{openbao.url}/v1/sys/mounts", headers={"X-Vault-Token": openbao.root_token}).json()
    if f"{prefix}/" not in mounts:
        openbao.mount(prefix)
    return {
        "log_url": f"kafka://{kafka.bootstrap}/{prefix}?partitions=3",
        "index_url": f"opensearch://{opensearch.admin}@{opensearch.host}:{opensearch.port}/{prefix}?tls=true&cafile={opensearch.ca}",
        "keys_url": f"vault://{openbao.url.partition('://')[2]}/{prefix}",
        "opensearch_password": opensearch.password,
        "vault_token": openbao.root_token,
    }
