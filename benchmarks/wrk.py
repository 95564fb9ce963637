"""Requests a second, by wrk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
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


_TURNS: Final = """
local ports, turn = {{{ports}}}, 0
function setup(thread)
  turn = turn % #ports + 1
  thread.addr = wrk.lookup("127.0.0.1", ports[turn])[1]
end
"""
"""Each thread of wrk asks the next of the ports on this machine."""


def post(script: Path, body: object, headers: Mapping[str, str], ports: Sequence[int] = ()) -> Path:
    """Writes a script that makes wrk post the body as JSON, to these ports in turn if there are any.

    The headers have tokens, and what a command is given everybody can see.
    """
    lines = [
        'wrk.method = "POST"',
        f"wrk.body = {_lua(json.dumps(body))}",
        *(f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in {**headers, "Content-Type": "application/json"}.items()),
    ]
    script.touch(mode=0o600)
    script.write_text("\n".join(lines) + "\n" + (_TURNS.format(ports=", ".join(f'"{port}"' for port in ports)) if ports else ""))
    return script


def rate(url: str, script: Path | None = None, *, seconds: int = SECONDS, threads: int = 1) -> float:
    """Requests a second, of as many connections as `CONNECTIONS` from so many threads, all of which must be answered as asked."""
    command = ["wrk", f"-t{threads}", f"-c{CONNECTIONS}", f"-d{seconds}s", *(("-s", str(script)) if script is not None else ()), url]
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
