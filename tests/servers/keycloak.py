"""A real Keycloak, built once for its development database, which is one file."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from tests.servers import cache, tools
from tests.servers.process import Server, free_port

VERSION: Final = "26.7.3"
_CLIENT: Final = "admin-cli"
_EARLY_SECONDS: Final = 20
"""How long before its end an administrator's token is not used any more."""


def fetch() -> Path:
    """The distribution, from Maven's repositories and built, unless it is here. The build takes a minute.

    Raises:
        Missing: it can't be fetched, or there is no Java for it.
    """
    tools.java(17)
    return cache.once(f"keycloak-{VERSION}", _build) / f"keycloak-{VERSION}"


def _build(directory: Path) -> None:
    tools.maven_copy(f"org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz", directory)
    path = directory / f"keycloak-quarkus-dist-{VERSION}.tar.gz"
    with tarfile.open(path) as archive:
        archive.extractall(directory, filter="data")
    path.unlink()
    home = directory / f"keycloak-{VERSION}"
    tools.run(str(home / "bin/kc.sh"), "build", "--db=dev-file", "--cache=local", JAVA_HOME=str(tools.java(17)))


class Keycloak(Server):
    """One node.

    Attributes:
        admin: the name of the administrator of the realm `master`; `password` is made up for this server.
    """

    name = "keycloak"
    ready = re.compile(r"started in \d+\.\d+s\. Listening on")

    def __init__(self) -> None:
        super().__init__()
        self._home = fetch()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin = "admin"
        self.password = secrets.token_urlsafe(18)
        self._token = ""
        self._until = 0.0
        self._client = httpx.Client(base_url=self.url, timeout=60)
        for part in ("lib", "conf", "providers", "themes"):
            (self.directory / part).symlink_to(self._home / part)

    def command(self) -> Sequence[str]:
        """The node, without the script that stays between it and whoever ends it."""
        return self._java(
            "start", "--optimized", "--cache=local", "--hostname-strict=false",
            "--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={self.port}",
        )  # fmt: skip

    def export(self, realm: str) -> Any:
        """What `kc.sh export` writes of a realm, with its private keys. The node must have been stopped: its database is a file."""
        assert not self.running
        file = self.directory / f"{realm}.json"
        command = self._java("export", "--optimized", f"--realm={realm}", f"--file={file}")
        subprocess.run(command, cwd=self.directory, env={**os.environ, **self.environment()}, check=True, capture_output=True, timeout=180)
        return json.loads(file.read_text())

    def _java(self, *arguments: str) -> Sequence[str]:
        opened = ("java.util", "java.util.concurrent", "java.security", "java.lang")
        return [
            str(tools.java(17) / "bin/java"), "-Xms64m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opened),
            f"-Dkc.home.dir={self.directory}", f"-Djava.io.tmpdir={self.directory}",
            "-cp", str(self._home / "lib/quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint", *arguments,
        ]  # fmt: skip

    def environment(self) -> Mapping[str, str]:
        """Its first administrator."""
        return {"KC_BOOTSTRAP_ADMIN_USERNAME": self.admin, "KC_BOOTSTRAP_ADMIN_PASSWORD": self.password}

    def close(self) -> None:
        """Ends it, and removes its data."""
        self._client.close()
        super().close()

    def ask(self, method: str, path: str, body: object = None, **params: Any) -> Any:
        """Asks its admin API (`path` behind `/admin/realms`), as the administrator; the JSON of the answer, None if it has none."""
        headers = {"Authorization": f"Bearer {self._fresh()}"}
        answer = self._client.request(method, f"/admin/realms{path}", json=body, headers=headers, params=params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def token(self, realm: str, **form: str) -> httpx.Response:
        """Asks the token endpoint of a realm, and answers whatever it says."""
        return self._client.post(f"/realms/{realm}/protocol/openid-connect/token", data=form)

    def _fresh(self) -> str:
        if time.monotonic() > self._until:
            said = self.token("master", grant_type="password", client_id=_CLIENT, username=self.admin, password=self.password).json()
            self._token, self._until = said["access_token"], time.monotonic() + said["expires_in"] - _EARLY_SECONDS
        return self._token
