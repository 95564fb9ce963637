"""JWKS requests a second, against nginx with one process serving the same bytes from a file, and against those who make theirs as we do.

OpenBao serves one of its `identity/oidc`, and Keycloak one of a realm.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import wrk
from benchmarks.service import served
from tests.servers.cache import Missing
from tests.servers.keycloak import Keycloak
from tests.servers.openbao import OpenBao

_FLAGS_OF_TESTS: Final = {"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}
_WARM_UPS: Final = 3
"""Laps; Keycloak's code is compiled while they run."""


def run(events: int | None, runs: int) -> dict[str, Any]:  # noqa: ARG001 -- there are no events in it
    """The figures. A peer that can't be had is left out, with the reason; but not nginx."""
    wrk.need(wrk="wrk", nginx="nginx-light")
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(served(directory / "data"))
        urls = {"tenantry": f"{service.url}/t/globex/jwks.json"}
        urls["nginx"] = stack.enter_context(_nginx(directory, _get(urls["tenantry"])))
        for name, peer in {"openbao": _openbao, "keycloak": _keycloak}.items():
            try:
                urls[name] = stack.enter_context(peer())
            except Missing as error:
                missing[name] = str(error).splitlines()[0]
        sizes = {name: len(_get(url)) for name, url in urls.items()}
        for _ in range(_WARM_UPS):
            for url in urls.values():
                wrk.rate(url)
        laps = [{name: wrk.rate(url) for name, url in urls.items()} for _ in range(runs)]
    rates = {name: statistics.median(lap[name] for lap in laps) for name in urls}
    ratios = {name: statistics.median(lap["tenantry"] / lap[name] for lap in laps) for name in urls}
    return {
        "bytes": sizes["tenantry"],
        "connections": wrk.CONNECTIONS,
        "runs": runs,
        "requests_per_second": rates["tenantry"],
        "peer": "nginx, one worker process, static file",
        "peer_requests_per_second": rates["nginx"],
        "ratio": ratios["nginx"],
        "peers": {name: {"bytes": sizes[name], "requests_per_second": rates[name]} for name in ("openbao", "keycloak") if name in urls},
        "ratios": {name: ratios[name] for name in ("openbao", "keycloak") if name in urls},
        **({"missing": missing} if missing else {}),
    }


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
    return body


@contextmanager
def _openbao() -> Iterator[str]:
    with OpenBao() as bao:
        # Those keys are published that a role uses.
        bao.ask("POST", "identity/oidc/key/benchmark", {"algorithm": "RS256", "allowed_client_ids": "*"})
        bao.ask("POST", "identity/oidc/role/benchmark", {"key": "benchmark"})
        url = f"{bao.url}/v1/identity/oidc/.well-known/keys"
        assert json.loads(_get(url))["keys"]
        yield url


class _Keycloak(Keycloak):
    """As an operator would run it: the tests' spares its compiler and collector, because they are soon over."""

    def command(self) -> Sequence[str]:
        """The tests' own, without what makes it start sooner and run slower."""
        return [argument for argument in super().command() if argument not in _FLAGS_OF_TESTS]


@contextmanager
def _keycloak() -> Iterator[str]:
    with _Keycloak() as keycloak:
        yield f"{keycloak.url}/realms/master/protocol/openid-connect/certs"


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
