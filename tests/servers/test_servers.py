"""The real servers run, and end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers import cache, chromium, kept
from tests.servers.kafka import Kafka
from tests.servers.openbao import OpenBao
from tests.servers.opensearch import OpenSearch
from tests.servers.process import Server

_CRASHING = """
import os, signal
from tests.servers.{module} import {kind}
server = {kind}().start()
print(server.pid, server.directory, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_opensearch_has_security(opensearch: OpenSearch) -> None:
    assert opensearch.ask("GET", "/")["version"]["number"] == "2.19.4"
    assert opensearch.request("GET", "/", auth=("admin", "admin")).status_code == 401


def test_openbao_is_unsealed(openbao: OpenBao) -> None:
    assert openbao.ask("GET", "sys/health")["sealed"] is False


def test_kafka_listens(kafka: Kafka) -> None:
    assert kafka.bootstrap == f"127.0.0.1:{kafka.port}"


def test_a_person_gets_settings_for_the_servers(kafka: Any, opensearch: Any, openbao: Any, tmp_path: Path) -> None:
    mounts = openbao.ask("GET", "sys/mounts")
    path = kept.environment({"kafka": kafka, "opensearch": opensearch, "openbao": openbao}, tmp_path)
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        ran = subprocess.run(["sh", "-c", f". {path} && tenantry doctor"], capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "ok   key store: vault at" in ran.stdout
    finally:
        if "tenantry/" not in mounts:
            openbao.ask("DELETE", "sys/mounts/tenantry")


def test_a_server_ends_when_the_tests_crash(openbao: OpenBao | kept.Kept) -> None:
    command = [sys.executable, "-c", _CRASHING.format(module="openbao", kind="OpenBao")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    pid = int(ran.stdout.split()[0])
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_outlives_the_thread_that_asked_for_it(openbao: OpenBao | kept.Kept) -> None:
    with OpenBao() as own:
        own.stop()
        asking = threading.Thread(target=own.start)
        asking.start()
        asking.join()
        with pytest.raises(subprocess.TimeoutExpired):
            own.wait(0.5)
        assert own.ask("GET", "sys/health")["initialized"] is True


def test_a_server_keeps_its_data_over_a_kill(openbao: OpenBao) -> None:
    with OpenBao() as own:
        mount = own.mount()
        own.ask("POST", f"{mount}/keys/k")
        own.kill()
        assert not own.running
        own.start()
        assert own.ask("GET", f"{mount}/keys/k")["data"]["name"] == "k"
        directory = own.directory
    assert not directory.exists()
    assert isinstance(own, Server)


def test_a_program_that_only_says_how_to_get_a_browser_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for program, code in (("chromium", 1), ("chromium-browser", 0)):
        (tmp_path / program).write_text(f"#!/bin/sh\necho install the snap\nexit {code}\n")
        (tmp_path / program).chmod(0o755)
    assert chromium.fetch() == tmp_path / "chromium-browser"
    (tmp_path / "chromium-browser").unlink()
    with pytest.raises(cache.Missing, match="apt-get install chromium"):
        chromium.fetch()


def _lives(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/stat").open() as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
