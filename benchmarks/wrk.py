"""Requests a second, by wrk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.__main__ import MissingPeerError

CONNECTIONS: Final = 16
SECONDS: Final = 5
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")


def need(**programs: str) -> None:
    """Checks that these programs are here, each named with its package in Debian.

    Raises:
        MissingPeerError: one is not.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(programs[program] for program in missing)
        raise MissingPeerError(f"{' and '.join(missing)} needed: `apt-get install {packages}`, or what your system calls them")


def post(script: Path, body: object, headers: Mapping[str, str]) -> Path:
    """Writes a script that makes wrk post the body as JSON. The headers have tokens, and what a command is given everybody can see."""
    lines = [
        'wrk.method = "POST"',
        f"wrk.body = {_lua(json.dumps(body))}",
        *(f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in {**headers, "Content-Type": "application/json"}.items()),
    ]
    script.touch(mode=0o600)
    script.write_text("\n".join(lines) + "\n")
    return script


def rate(url: str, script: Path | None = None, *, seconds: int = SECONDS) -> float:
    """Requests a second, of as many connections as `CONNECTIONS` from one thread, all of which must be answered as asked."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *(("-s", str(script)) if script is not None else ()), url]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def parse(output: str) -> float:
    """The rate in what wrk says; no figure if something went wrong."""
    match = _RATE.search(output)
    assert match is not None, output
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    return float(match[1])


def _lua(text: str) -> str:
    """A string of Lua: JSON's, which is one, too, for text of printable ASCII."""
    assert text.isascii()
    assert text.isprintable()
    return json.dumps(text)
