"""JWKS requests a second, against nginx with one process serving the same bytes from a file."""

from __future__ import annotations

import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.__main__ import MissingPeerError
from benchmarks.service import served

_SECONDS = 5
_CONNECTIONS = 16


def run(events: int | None, runs: int) -> dict[str, Any]:  # noqa: ARG001 -- there are no events in it
    """The figures."""
    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            raise MissingPeerError(f"{program} is needed: install the packages nginx-light and wrk, or what your system calls them")
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "data") as service:
        url = f"{service.url}/t/globex/jwks.json"
        with urllib.request.urlopen(url) as answer:
            body = answer.read()
        ours: list[float] = []
        peers: list[float] = []
        with _nginx(Path(directory), body) as peer:
            for _ in range(runs):
                ours.append(_requests(url))
                peers.append(_requests(peer))
    return {
        "bytes": len(body),
        "connections": _CONNECTIONS,
        "runs": runs,
        "requests_per_second": statistics.median(ours),
        "peer": "nginx, one worker process, static file",
        "peer_requests_per_second": statistics.median(peers),
        "ratio": statistics.median(one / other for one, other in zip(ours, peers, strict=True)),
    }


def _requests(url: str) -> float:
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert match is not None, output
    assert "Non-2xx" not in output, output
    return float(match[1])


@contextmanager
def _nginx(directory: Path, body: bytes) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (directory / "www").mkdir()
    (directory / "www" / "jwks.json").write_bytes(body)
    # nginx's worker runs as another user when it is started by root.
    for path in (directory, directory / "www"):
        path.chmod(0o755)
    configuration = f"""
        worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
        events {{ worker_connections 512; }}
        http {{
          access_log off; default_type application/json; sendfile on; keepalive_requests 1000000;
          client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
          uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
          server {{ listen 127.0.0.1:{port}; root {directory}/www; add_header Cache-Control "public, max-age=300"; }}
        }}"""
    (directory / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(["nginx", "-c", str(directory / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/jwks.json"
        deadline = time.monotonic() + 10
        while True:
            try:
                urllib.request.urlopen(url).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
