"""The real engines as docker-compose.yml runs them: the same configuration and set-up scripts, at other addresses and places."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from tests.servers import kafka as kafka_server
from tests.servers import openbao, opensearch, tools
from tests.servers.process import Server, free_port

ROOT: Final = Path(__file__).parents[2]
HERE: Final = "127.0.0.1"


def make_secrets(directory: Path) -> Path:
    """Runs deploy/make-secrets.sh in a copy of its folder: the folder of the secrets."""
    shutil.copytree(ROOT / "deploy", directory / "deploy", ignore=shutil.ignore_patterns("secrets"))
    made = subprocess.run([directory / "deploy/make-secrets.sh"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return directory / "deploy/secrets"


def environment(secrets: Path, places: Mapping[str, Deployed]) -> dict[str, str]:
    """The settings of a container, by their names in `Settings`: with these servers in place of `host:port`."""
    given = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-settings"]
    addresses = {f"{host}/": f"{HERE}:{server.port}/" for host, server in places.items()}
    moved = {**addresses, "/run/secrets/ca": str(secrets / "ca.pem"), "/run/secrets": str(secrets / "tenantry")}

    def placed(value: str) -> str:
        for old, new in moved.items():
            value = value.replace(old, new)
        return value

    return {key.removeprefix("TENANTRY_").lower(): placed(value) for key, value in given.items() if key != "TENANTRY_PUBLIC_URL"}


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with each replaced; all of them must be there."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in it any more"
        text = text.replace(old, new)
    return text


class Deployed(Server):
    """A server of deploy/."""

    def __init__(self, secrets: Path) -> None:
        super().__init__()
        self.port = free_port()
        self.secrets = self.directory / "secrets"
        shutil.copytree(secrets, self.secrets)
        self.ca = secrets / "ca.pem"

    def run(self, script: str, *arguments: str, stdin: bytes = b"", **environment: object) -> subprocess.CompletedProcess[bytes]:
        """Runs a script of deploy/, in a process group of its own, as a shell that somebody types in does."""
        env = {**os.environ, **{name: str(value) for name, value in environment.items()}}
        return subprocess.run(
            [ROOT / "deploy" / script, *arguments], input=stdin, capture_output=True, env=env, process_group=0, timeout=120, check=False
        )


class Kafka(Deployed):
    """With TLS and a password for clients."""

    name = "kafka"

    def __init__(self, secrets: Path) -> None:
        super().__init__(secrets)
        self._properties = self.directory / "server.properties"
        places = {
            "CLIENT://:9092": f"CLIENT://{HERE}:{self.port}",
            "CLIENT://kafka:9092": f"CLIENT://{HERE}:{self.port}",
            f"{HERE}:9093": f"{HERE}:{free_port()}",
            f"{HERE}:9094": f"{HERE}:{free_port()}",
            "/etc/kafka/secrets": str(self.secrets / "kafka"),
            "/var/lib/kafka/data": str(self.directory / "data"),
        }
        self._properties.write_text(replaced((self.secrets / "kafka/server.properties").read_text(), places))
        for _ in range(2):  # as at the first start, and at the second
            options = ["format", "--ignore-formatted", "--standalone", "--cluster-id", "x" * 22, "--config", str(self._properties)]
            subprocess.run([*self._run("kafka.tools.StorageTool"), *options], check=True, capture_output=True, timeout=120)

    def command(self) -> Sequence[str]:
        return [*self._run("kafka.Kafka"), str(self._properties)]

    def serves(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HERE, self.port)) == 0

    def _run(self, main: str) -> list[str]:
        return [str(tools.java(17) / "bin/java"), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_server.fetch()}/lib/*", main]


class OpenSearch(Deployed):
    """With TLS, and no users but those that the set-up script makes."""

    name = "opensearch"
    user = "nobody"
    ready = re.compile(r"Node 'opensearch' initialized")

    def __init__(self, secrets: Path) -> None:
        super().__init__(secrets)
        self._home = opensearch.fetch()
        self._config = self.directory / "config"
        shutil.copytree(self._home / "config", self._config)
        options = self._config / "jvm.options"
        options.write_text("\n".join(line for line in options.read_text().splitlines() if "logs/" not in line))
        security = self._config / "opensearch-security"
        shutil.copytree(self._home / "plugins/opensearch-security/config", security)
        for file in ("internal_users.yml", "roles_mapping.yml"):
            shutil.copy(ROOT / "deploy/opensearch" / file, security)
        (self._config / "certificates").mkdir()
        for file in ("ca.pem", "opensearch/opensearch.pem", "opensearch/opensearch-key.pem"):
            shutil.copy(self.secrets / file, self._config / "certificates")
        text = (ROOT / "deploy/opensearch/opensearch.yml").read_text()
        places = (
            f"\nhttp.port: {self.port}\ntransport.port: {free_port()}\npath.data: {self.directory}/data\npath.logs: {self.directory}/logs\n"
        )
        (self._config / "opensearch.yml").write_text(replaced(text, {"0.0.0.0": HERE}) + places)
        for part in ("data", "logs", "tmp"):
            (self.directory / part).mkdir()
        self.own(self.directory)

    def command(self) -> Sequence[str]:
        return [str(self._home / "bin/opensearch")]

    def environment(self) -> Mapping[str, str]:
        return {
            "OPENSEARCH_PATH_CONF": str(self._config),
            "OPENSEARCH_JAVA_HOME": str(tools.java(17)),
            "OPENSEARCH_JAVA_OPTS": "-Xms1g -Xmx1g",
            "OPENSEARCH_TMPDIR": str(self.directory / "tmp"),
            "HOME": str(self.directory),
        }

    def give_users(self) -> subprocess.CompletedProcess[bytes]:
        """What opensearch-setup does."""
        certificates = self.directory / "admin"
        certificates.mkdir(exist_ok=True)
        for file in ("ca.pem", "opensearch/opensearch-admin.pem", "opensearch/opensearch-admin-key.pem"):
            shutil.copy(self.secrets / file, certificates)
        return self.run("opensearch/setup.sh", URL=f"https://localhost:{self.port}", CERTIFICATES=certificates, SECRETS=self.secrets)


class OpenBao(Deployed):
    """With TLS; it unseals itself."""

    name = "openbao"
    ready = re.compile(r"OpenBao server started!")

    def __init__(self, secrets: Path) -> None:
        super().__init__(secrets)
        self._program = openbao.fetch()
        self.kept = self.directory / "kept"
        for folder in ("data", "kept"):
            (self.directory / folder).mkdir()
        places = {
            "0.0.0.0:8200": f"{HERE}:{self.port}",
            "https://openbao:8200": f"https://localhost:{self.port}",
            f"{HERE}:8201": f"{HERE}:{free_port()}",
            "/secrets/": f"{self.secrets}/",
            "/openbao/file": str(self.directory / "data"),
        }
        self._configuration = self.directory / "openbao.hcl"
        self._configuration.write_text(replaced((ROOT / "deploy/openbao/openbao.hcl").read_text(), places))

    def command(self) -> Sequence[str]:
        return [str(self._program), "server", f"-config={self._configuration}"]

    def give_role(self) -> subprocess.CompletedProcess[bytes]:
        """What openbao-setup does."""
        return self.run_own("setup.sh")

    def run_own(self, script: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Runs one of its scripts, as compose does."""
        places = {"KEPT": self.kept, "SECRETS": self.secrets, "POLICY": ROOT / "docs/vault-policy.hcl"}
        return self.run(f"openbao/{script}", *arguments, stdin=stdin, **places, **self.client())

    def client(self) -> dict[str, object]:
        """The environment of its command line."""
        path = f"{self._program.parent}:{os.environ['PATH']}"
        return {"BAO_ADDR": f"https://localhost:{self.port}", "BAO_CACERT": self.ca, "PATH": path, "HOME": self.directory}
