"""The servers that `make servers` keeps up for a person, and for every test run beside it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.servers import cache
from tests.servers.openbao import OpenBao
from tests.servers.opensearch import OpenSearch

_FILE: Final = "kept.json"
_PREFIX: Final = "tenantry"
_PORT: Final = 8090
_FIELDS: Final = {
    "kafka": ("bootstrap", "port"),
    "opensearch": ("host", "port", "url", "ca", "admin", "password", "secured", "version"),
    "openbao": ("url", "port", "root_token"),
}


class Kept:
    """A server of another process: its addresses and credentials, as the server's own class has them."""

    def __init__(self, name: str, facts: dict[str, Any]) -> None:
        self.name = name
        for field, value in facts.items():
            setattr(self, field, Path(value) if field == "ca" and value else value)

    def __getattr__(self, name: str) -> Any:
        """The questions that can be asked of the server's class."""
        kind: Any = {"openbao": OpenBao, "opensearch": OpenSearch}.get(self.__dict__["name"])
        if kind is None or name not in {"ask", "request", "mount"}:
            raise AttributeError(name)
        return getattr(kind, name).__get__(self)


def keep(servers: dict[str, Any]) -> Path:
    """Tells other processes of the running servers; the file is theirs to read only."""
    path = cache.entry(_FILE)
    facts = {
        name: {field: str(value) if isinstance(value := getattr(server, field), Path) else value for field in _FIELDS[name]}
        for name, server in servers.items()
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"pid": os.getpid(), "servers": facts}, file)
    return path


def environment(servers: dict[str, Any], directory: Path) -> Path:
    """A file for the shell that puts Tenantry on these servers, with a data directory and a port of its own; its owner's to read only."""
    kafka, opensearch, openbao = servers["kafka"], servers["opensearch"], servers["openbao"]
    if f"{_PREFIX}/" not in openbao.ask("GET", "sys/mounts"):
        openbao.mount(_PREFIX)
    settings = {
        "TENANTRY_DATA": directory / "data",
        "TENANTRY_PORT": _PORT,
        "TENANTRY_LOG_URL": f"kafka://{kafka.bootstrap}/{_PREFIX}",
        "TENANTRY_INDEX_URL": f"opensearch://{opensearch.admin}@{opensearch.host}:{opensearch.port}/{_PREFIX}?tls=true&cafile={opensearch.ca}",
        "TENANTRY_OPENSEARCH_PASSWORD": opensearch.password,
        "TENANTRY_KEYS_URL": f"vault://{openbao.url.partition('://')[2]}/{_PREFIX}",
        "TENANTRY_VAULT_TOKEN": openbao.root_token,
    }
    path = directory / "settings"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n')
        file.writelines(f"export {name}={shlex.quote(str(value))}\n" for name, value in settings.items())
    return path


def forget() -> None:
    """The servers are going."""
    cache.entry(_FILE).unlink(missing_ok=True)


def find(name: str) -> Kept | None:
    """The kept server, if there is one whose keeper lives."""
    with suppress(OSError, ValueError, KeyError):
        said = json.loads(cache.entry(_FILE).read_text())
        os.kill(said["pid"], 0)
        return Kept(name, said["servers"][name])
    return None
