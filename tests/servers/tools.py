"""The tools that fetch and run servers: Maven, Go, and the JDKs of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.servers.cache import Missing

_FETCH_SECONDS = 1800


def run(*command: str, cwd: Path | None = None, **environment: str) -> None:
    """Runs a tool to its end.

    Raises:
        Missing: it is not there, or failed; with the end of what it wrote.
    """
    if shutil.which(command[0]) is None:
        raise Missing(f"{command[0]} is not installed")
    try:
        ran = subprocess.run(
            command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} did not end within {_FETCH_SECONDS} s") from error
    if ran.returncode:
        raise Missing(f"{' '.join(command[:3])} failed: {(ran.stdout + ran.stderr)[-800:]}")


def maven_copy(artifact: str, into: Path) -> None:
    """Copies an artifact `group:name:version:type` from Maven's repositories into the directory."""
    maven("dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={into}", cwd=into)


def maven(*arguments: str, cwd: Path) -> None:
    """Runs Maven in batch mode."""
    run("mvn", "--batch-mode", "--quiet", *arguments, cwd=cwd)


@cache
def jdks() -> dict[int, Path]:
    """The newest place of each major version of Java on this machine."""
    places = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    places += sorted(Path("/usr/lib/jvm").glob("*"))
    if found := shutil.which("java"):
        places.append(Path(found).resolve().parents[1])
    return {version: place for place in places if (version := _version(place / "bin/java"))}


def java(least: int) -> Path:
    """A Java home of at least this version, the lowest there is: servers are tried with the version they name.

    Raises:
        Missing: there is none.
    """
    fitting = sorted(version for version in jdks() if version >= least)
    if not fitting:
        raise Missing(f"no JDK {least} or newer")
    return jdks()[fitting[0]]


def _version(program: Path) -> int | None:
    if not program.exists():
        return None
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else None
