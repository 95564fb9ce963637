"""A real OpenSearch, one node: 2.19 with its security plugin (TLS, users, roles), or 3.x without."""

from __future__ import annotations

import re
import secrets
import shutil
import ssl
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import bcrypt
import httpx

from tests.servers import cache, certificates, tools
from tests.servers.process import Server, free_port

SECURED: Final = "2.19.4"
NEXT: Final = "3.7.0"
_JAVA: Final = {SECURED: 17, NEXT: 21}
_PLAIN: Final = """
cluster.name: tests
node.name: node
path.data: {directory}/data
path.logs: {directory}/logs
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
discovery.type: single-node
action.auto_create_index: false
cluster.routing.allocation.disk.threshold_enabled: false
cluster.max_shards_per_node: 3000
"""
_SECURITY: Final = f"""
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node-key.pem
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: node.pem
plugins.security.ssl.http.pemkey_filepath: node-key.pem
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.allow_default_init_securityindex: true
plugins.security.authcz.admin_dn: ["{certificates.ADMIN}"]
plugins.security.nodes_dn: ["{certificates.NODE}"]
plugins.security.restapi.roles_enabled: ["all_access"]
"""


def fetch(version: str = SECURED) -> Path:
    """The distribution, from Maven's repositories unless it is here.

    Raises:
        Missing: it can't be fetched, or there is no Java for it.
    """
    tools.java(_JAVA[version])
    return cache.once(f"opensearch-{version}", lambda directory: _build(directory, version)) / "home"


def _build(directory: Path, version: str) -> None:
    tools.maven_copy(f"org.opensearch.distribution.integ-test-zip:opensearch:{version}:zip", directory)
    _unzip(directory / f"opensearch-{version}.zip", directory)
    (directory / f"opensearch-{version}").rename(directory / "home")
    if version == SECURED:
        tools.maven_copy(f"org.opensearch.plugin:opensearch-security:{version}.0:zip", directory)
        _unzip(directory / f"opensearch-security-{version}.0.zip", directory / "home/plugins/opensearch-security")


def _unzip(path: Path, into: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(into)
    path.unlink()
    for program in into.rglob("bin/*"):
        program.chmod(0o755)  # which the archive's own reader forgets


class OpenSearch(Server):
    """One node. It refuses to run as root, so root's tests run it as nobody.

    Attributes:
        ca: the authority of its certificate, or None without security.
        admin: the name of its administrator; `password` is made up for this server.
    """

    name = "opensearch"
    user = "nobody"

    def __init__(self, version: str = SECURED, *, heap: str = "1g") -> None:
        super().__init__()
        self.version = version
        self._home = fetch(version)
        self._heap = heap
        self.host = "127.0.0.1"
        self.port = free_port()
        self.secured = version == SECURED
        self.ready = re.compile(r"Node 'node' initialized" if self.secured else r"\[node\] started")
        self.admin = "admin"
        self.password = secrets.token_urlsafe(18)
        self.ca: Path | None = None
        self._config = self.directory / "config"
        self._configure()
        for part in ("data", "logs", "tmp"):
            (self.directory / part).mkdir()
        self.own(self.directory)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.secured else 'http'}://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        """The node."""
        return [str(self._home / "bin/opensearch")]

    def environment(self) -> Mapping[str, str]:
        """Where its configuration, its Java and its memory are."""
        return {
            "OPENSEARCH_PATH_CONF": str(self._config),
            "OPENSEARCH_JAVA_HOME": str(tools.java(_JAVA[self.version])),
            "OPENSEARCH_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap}",
            "OPENSEARCH_TMPDIR": str(self.directory / "tmp"),
            "HOME": str(self.directory),
        }

    def ask(self, method: str, path: str, body: object = None, *, auth: tuple[str, str] | None = None) -> Any:
        """Asks its API, as the administrator unless told who; the JSON of the answer."""
        answer = self.request(method, path, body, auth=auth)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def request(self, method: str, path: str, body: object = None, *, auth: tuple[str, str] | None = None) -> httpx.Response:
        """Asks its API, and answers whatever it says."""
        who = auth or (self.admin, self.password) if self.secured else None
        with httpx.Client(verify=_context(self.ca), auth=who, timeout=60) as client:
            return client.request(method, f"{self.url}/{path.lstrip('/')}", json=body)

    def _configure(self) -> None:
        shutil.copytree(self._home / "config", self._config)
        options = self._config / "jvm.options"
        kept = [line for line in options.read_text().splitlines() if "logs/" not in line]  # it may not write into its home
        options.write_text("\n".join(kept))
        text = _PLAIN.format(directory=self.directory, port=self.port, transport=free_port())
        if self.secured:
            text += _SECURITY
            self.ca = certificates.write(self._config)
            security = self._config / "opensearch-security"
            shutil.copytree(self._home / "plugins/opensearch-security/config", security)
            (security / "internal_users.yml").write_text(_users(self.admin, self.password))
        (self._config / "opensearch.yml").write_text(text)


def _users(admin: str, password: str) -> str:

    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4, prefix=b"2b")).decode()
    return (
        f'_meta:\n  type: internalusers\n  config_version: 2\n{admin}:\n  hash: "{hashed}"\n  reserved: true\n  backend_roles: ["admin"]\n'
    )


def _context(ca: Path | None) -> Any:

    return ssl.create_default_context(cafile=ca) if ca else True
