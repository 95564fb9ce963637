"""A real OpenBao, which speaks Vault's API: built from its Go modules, once."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from tests.servers import cache, tools
from tests.servers.process import Server, free_port

VERSION: Final = "2.4.0"
_MODULE: Final = Path(__file__).parent / "openbao_module"
_CONFIGURATION: Final = """
storage "file" {{ path = "{directory}/data" }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
disable_mlock = true
api_addr = "http://127.0.0.1:{port}"
"""


def fetch() -> Path:
    """The program, built unless it is here. The first time takes up to ten minutes of both cores.

    Raises:
        Missing: it can't be built.
    """
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_MODULE.iterdir()))).hexdigest()[:12]
    return cache.once(f"openbao-{VERSION}-{key}", _build) / "bao"


def _build(directory: Path) -> None:
    flags = f"-s -w -X github.com/openbao/openbao/version.fullVersion={VERSION}"
    tools.run(
        "go", "build", "-buildvcs=false", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(directory / "bao"), ".",
        cwd=_MODULE, CGO_ENABLED="0",
    )  # fmt: skip


class OpenBao(Server):
    """A server with its storage in files, initialised and unsealed by `start` the first time; sealed after a restart, as Vault is."""

    name = "openbao"
    ready = re.compile(r"OpenBao server started!")

    def __init__(self) -> None:
        super().__init__()
        self._program = fetch()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.root_token = ""
        self._unseal_key = ""
        self._configuration = self.directory / "bao.hcl"
        self._configuration.write_text(_CONFIGURATION.format(directory=self.directory, port=self.port))

    def command(self) -> Sequence[str]:
        """The server."""
        return [str(self._program), "server", f"-config={self._configuration}"]

    def start(self) -> OpenBao:
        """Starts it: unsealed."""
        super().start()
        if not self.root_token:
            made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._unseal_key, self.root_token = made["keys"][0], made["root_token"]
        self.unseal()
        return self

    def seal(self) -> None:
        """It keeps running, and answers nothing but that it is sealed."""
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """It works again when this returns."""
        self.ask("PUT", "sys/unseal", {"key": self._unseal_key})
        with httpx.Client() as client:
            while client.get(f"{self.url}/v1/sys/health").status_code != 200:
                assert self.running

    def mount(self, path: str | None = None, kind: str = "transit") -> str:
        """Enables an engine at a path, by default a new one, and answers the path."""
        path = path or f"transit-{secrets.token_hex(4)}"
        self.ask("POST", f"sys/mounts/{path}", {"type": kind})
        return path

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None, token: str | None = None) -> Any:
        """Asks its API, as root unless a token is given; the JSON of the answer, None if it has none."""
        headers = {"X-Vault-Token": token or self.root_token}
        answer = httpx.request(method, f"{self.url}/v1/{path}", json=body, headers=headers, timeout=30)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return json.loads(answer.content) if answer.content else None
