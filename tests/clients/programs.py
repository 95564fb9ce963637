"""The verifier programs, one for each client library, and the rules by which it keeps a JWKS.

Those in other languages are built once from what their folder pins, with checksums (`package-lock.json`, `go.sum`, `jars.sha256`), and kept
beside the servers of `tests.servers`. A checksum that is not right is an error, and never a reason to skip.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyvault.caching import LIBRARIES, Caching
from keyvault.durations import SECOND
from keyvault.policy import Policy
from tests.servers import cache, tools

_HERE: Final = Path(__file__).parent
_JAVA: Final = 17


@dataclass(frozen=True)
class Program:
    """A relying party to be started with the URL of a JWKS, an issuer and an audience.

    Attributes:
        name: the library's.
        command: the command line, before those three.
        options: the command line after them.
        caching: how it keeps a JWKS.
    """

    name: str
    command: tuple[str, ...]
    caching: Caching
    options: tuple[str, ...] = ()


def pyjwt(*, cooldown: int | None = None) -> Program:
    """PyJWT with its defaults, or with another cooldown (milliseconds)."""
    caching = LIBRARIES["pyjwt"].caching
    command = (sys.executable, "-m", "tests.clients.verify_pyjwt")
    if cooldown is None:
        return Program("pyjwt", command, caching)
    caching = Caching(lifetime=caching.lifetime, refetches=True, cooldown=cooldown)
    return Program("pyjwt", command, caching, (str(cooldown / SECOND),))


def joserfc(policy: Policy) -> Program:
    """joserfc, with a fetcher that keeps a JWKS for as long as it may."""
    caching = Caching(lifetime=policy.jwks_max_age, refetches=True)
    return Program("joserfc", (sys.executable, "-m", "tests.clients.verify_joserfc"), caching)


def jose() -> Program:
    """The npm package jose, on Node.js.

    Raises:
        Missing: it can't be had on this machine.
    """
    directory = _built("jose", lambda directory: tools.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=directory))
    return Program("jose", ("node", str(directory / "verify.mjs")), LIBRARIES["jose"].caching)


def go_oidc() -> Program:
    """go-oidc.

    Raises:
        Missing: it can't be built on this machine.
    """
    build = ("go", "build", "-buildvcs=false", "-mod=readonly", "-trimpath", "-o", "verify", ".")
    directory = _built("go-oidc", lambda directory: tools.run(*build, cwd=directory, CGO_ENABLED="0"))
    return Program("go-oidc", (str(directory / "verify"),), LIBRARIES["go-oidc"].caching)


def nimbus() -> Program:
    """Nimbus JOSE + JWT, on Java.

    Raises:
        Missing: it can't be had on this machine.
    """
    home = tools.java(_JAVA)
    directory = _built("nimbus", lambda directory: _build_nimbus(directory, home))
    command = (str(home / "bin/java"), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{directory}:{directory}/lib/*")
    return Program("nimbus", (*command, "Verify"), LIBRARIES["nimbus"].caching)


def _build_nimbus(directory: Path, home: Path) -> None:
    tools.maven("dependency:copy-dependencies", "-DoutputDirectory=lib", cwd=directory)
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (directory / "lib").iterdir()}
    pinned = {name: digest for digest, name in (line.split() for line in (directory / "jars.sha256").read_text().splitlines())}
    assert found == pinned, "Maven's jars are not those of jars.sha256"
    tools.run(str(home / "bin/javac"), "-cp", "lib/*", "Verify.java", cwd=directory)


def _built(name: str, build: Callable[[Path], None]) -> Path:
    sources = sorted(path for path in (_HERE / name).iterdir() if path.is_file())
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]

    def make(directory: Path) -> None:
        for path in sources:
            shutil.copy(path, directory)
        build(directory)

    return cache.once(f"client-{name}-{key}", make)
