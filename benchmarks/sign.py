"""Tokens signed a second through the API, against signatures a second of OpenBao's transit engine, asked directly for the same.

Both with the same key, one token a request and then a batch. A token is more than a signature: the API also looks who asks, checks the
claims and completes them; what it saves is that requests which arrive together reach OpenBao together.

A node is one process, and so at most one core; OpenBao takes all there are. `nodes` says how many share the clients.
"""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import wrk
from benchmarks.__main__ import MissingPeerError
from benchmarks.nodes import nodes as several
from benchmarks.pipeline import cpu
from benchmarks.service import Served
from keyvault import jws
from keyvault.algorithms import Algorithm
from keyvault.jwks import Jwks
from keyvault.store_vault.names import KINDS
from tests.servers.cache import Missing
from tests.servers.openbao import OpenBao

_ALGORITHM: Final = Algorithm.ES256
_BATCH: Final = 50
_HEARING_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.1
_CLAIMS: Final = {"sub": "0b9b8c5e-3f7e-4d6e-9a57-7d1f1c1f2a10", "aud": "web-app", "azp": "web-app", "scope": "openid profile email"}


def run(
    events: int | None,  # noqa: ARG001 -- no events
    runs: int,
    *,
    batch: int = _BATCH,
    nodes: int = 1,
    seconds: int = wrk.SECONDS,
) -> dict[str, Any]:
    """The figures: medians of all runs, each with four laps of so many seconds."""
    wrk.need(wrk="wrk")
    try:
        bao = OpenBao()
    except Missing as error:
        raise MissingPeerError(f"OpenBao can't be had here: {error}") from error
    with bao, tempfile.TemporaryDirectory() as directory:
        keys = {"TENANTRY_KEYS_URL": f"vault://127.0.0.1:{bao.port}/{bao.mount()}", "TENANTRY_VAULT_TOKEN": bao.root_token}
        with several(nodes, Path(directory), **keys) as services:
            race = _Race(services, bao, keys["TENANTRY_KEYS_URL"].rpartition("/")[2], Path(directory), batch)
            race.lap(seconds)  # warms up
            laps = [race.lap(seconds) for _ in range(runs)]
    figures = {name: statistics.median(lap[name] for lap in laps) for name in laps[0]}
    return {
        "algorithm": _ALGORITHM.value,
        "connections": wrk.CONNECTIONS,
        "nodes": nodes,
        "runs": runs,
        "tokens_per_second": figures["ours"],
        "cpu_us_per_token": figures["cpu"],
        "peer": "OpenBao's transit engine, asked directly",
        "peer_signatures_per_second": figures["peer"],
        "peer_cpu_us_per_signature": figures["peer_cpu"],
        "ratio": statistics.median(lap["ours"] / lap["peer"] for lap in laps),
        "batch": batch,
        "batch_tokens_per_second": figures["batch"],
        "batch_cpu_us_per_token": figures["batch_cpu"],
        "peer_batch_signatures_per_second": figures["peer_batch"],
        "batch_ratio": statistics.median(lap["batch"] / lap["peer_batch"] for lap in laps),
    }


class _Race:
    """The nodes and OpenBao in turn, with a key of the tenant `acme`."""

    def __init__(self, services: Sequence[Served], bao: OpenBao, mount: str, directory: Path, batch: int) -> None:
        self._pids, self._peer_pids = [service.pid for service in services], [bao.pid]
        self._batch = batch
        service = services[0]
        self._ours = f"{service.url}/v1/tenants/acme/tokens/sign"
        operator = {"Authorization": f"Bearer {(directory / 'node-0' / 'operator.token').read_text().strip()}"}
        ordinal = _tenant(f"{service.url}/v1/tenants/acme", operator)
        self._theirs = f"{bao.url}/v1/{mount}/sign/acme.{ordinal}.{_ALGORITHM}"

        for one in services:
            _until_it_signs(f"{one.url}/v1/tenants/acme/tokens/sign", operator)
        token = _ask("POST", self._ours, operator, {"claims": _CLAIMS})["token"]
        jwks = Jwks.parse(urllib.request.urlopen(f"{service.url}/t/acme/jwks.json").read())
        jws.verify(token, jwks, now=time.time_ns() // 1_000_000)
        message = token.rpartition(".")[0].encode("ascii")
        given = {"input": base64.b64encode(hashlib.sha256(message).digest()).decode("ascii")}

        vault = {"X-Vault-Token": bao.root_token}
        parameters = dict(KINDS[_ALGORITHM].parameters)
        ports = [int(one.url.rpartition(":")[2]) for one in services]
        self._one = wrk.post(directory / "one.lua", {"claims": _CLAIMS}, operator, ports)
        self._many = wrk.post(directory / "many.lua", {"batch": [_CLAIMS] * batch}, operator, ports)
        self._peer_one = wrk.post(directory / "peer-one.lua", {**given, **parameters}, vault)
        self._peer_many = wrk.post(directory / "peer-many.lua", {"batch_input": [given] * batch, **parameters}, vault)

    def lap(self, seconds: int) -> dict[str, float]:
        """Tokens and signatures a second, and the CPU of a token or signature: of the service, and of OpenBao asked directly."""
        ours, cpu_one = self._measured(self._ours, self._one, 1, self._pids, seconds)
        peer, peer_cpu = self._measured(self._theirs, self._peer_one, 1, self._peer_pids, seconds)
        batch, cpu_many = self._measured(self._ours, self._many, self._batch, self._pids, seconds)
        peer_batch, _ = self._measured(self._theirs, self._peer_many, self._batch, self._peer_pids, seconds)
        figures = {"ours": ours, "peer": peer, "batch": batch, "peer_batch": peer_batch}
        return {**figures, "cpu": cpu_one, "peer_cpu": peer_cpu, "batch_cpu": cpu_many}

    def _measured(self, url: str, script: Path, tokens: int, pids: Sequence[int], seconds: int) -> tuple[float, float]:
        """Tokens a second, and the processes' CPU in microseconds a token."""
        spent = cpu.seconds(pids)
        rate = wrk.rate(url, script, seconds=seconds, threads=len(self._pids)) * tokens
        return rate, (cpu.seconds(pids) - spent) / (rate * seconds) * 1e6


def _until_it_signs(url: str, operator: Mapping[str, str]) -> None:
    """Returns when the node has heard of the tenant and its key, which may have been made on another."""
    deadline = time.monotonic() + _HEARING_SECONDS
    while True:
        try:
            _ask("POST", url, operator, {"claims": _CLAIMS})
        except urllib.error.HTTPError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _tenant(url: str, operator: Mapping[str, str]) -> int:
    """Makes the tenant, with an active key of the algorithm; the key's ordinal."""
    _ask("PUT", url, operator, {"display_name": "Acme"})
    _ask("PUT", f"{url}/keys/policy", operator, {"algorithm": _ALGORITHM})
    _ask("POST", f"{url}/keys/rotate", operator, {"activate": True, "reason": "the benchmark's algorithm"})
    [active] = [key for key in _ask("GET", f"{url}/keys", operator)["keys"] if key["state"] == "active"]
    assert active["algorithm"] == _ALGORITHM
    return int(active["ordinal"])


def _ask(method: str, url: str, headers: Mapping[str, str], body: object = None) -> Any:
    request = urllib.request.Request(
        url,
        json.dumps(body).encode() if body is not None else None,
        {**headers, "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
