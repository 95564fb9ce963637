"""A server in a process of its own, on loopback, that ends when the tests do, however they end."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_READY_SECONDS: Final = 180
_STOP_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_FIRST_PORT: Final = 10_000
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_STARTER: Final = ThreadPoolExecutor(1, "server-starter")
"""Whose thread starts the servers: a server ends with the thread that has started it, and a test's threads end with the test."""
_LAUNCH: Final = Path(__file__).parent / "launch.py"


def free_port() -> int:
    """A port that nothing listens on, on loopback.

    It is none of those that the system gives to connections: while a server is down, a client could get the server's port as its own, by
    chance, and then even be connected to itself.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_first_ephemeral() - _FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _first_ephemeral() -> int:
    try:
        return max(int(_EPHEMERAL.read_text().split()[0]), _FIRST_PORT + 1000)
    except OSError:
        return 32_768


class Server:
    """Starts, stops and kills a server; its data stay until `close`, so that it can come back on the same port.

    Subclasses give the command, and a pattern of its log that says that it serves.
    """

    name: str
    ready = re.compile("$^")
    user: str | None = None
    """Who it runs as when the tests are run by root."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"tenantry-{self.name}-"))
        self.log = self.directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0

    def command(self) -> Sequence[str]:
        """What to run."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """What it needs in its environment, beside this process's."""
        return {}

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Starts it, and returns when it serves."""
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        """Starts it, without waiting."""
        assert not self.running, f"{self.name} is running"
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TENANTRY_", "OPENSEARCH_", "KAFKA_"))}
        account = self.account()
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = _STARTER.submit(
                subprocess.Popen,
                [sys.executable, "-I", "-S", str(_LAUNCH), account.pw_name if account else "-", *self.command()],
                env={**own, **self.environment()},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).result()

    def wait_until_ready(self) -> None:
        """Returns when it serves."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self.serves():
            assert self.running, f"{self.name} ended before it served:\n{self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"{self.name} did not serve in time:\n{self.said()[-3000:]}"
            time.sleep(_POLL_SECONDS)  # a file has nothing to await

    def serves(self) -> bool:
        """Whether its log says that it serves."""
        return self.ready.search(self.said()) is not None

    def said(self) -> str:
        """What it has logged since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._seen)
            return log.read().decode(errors="replace")

    def stop(self) -> None:
        """Asks it to end, and returns when it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once: what it had not written is gone."""
        self._end(signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        """Returns when it has ended by itself.

        Raises:
            TimeoutExpired: it has not, in so many seconds.
        """
        assert self._process is not None
        self._process.wait(seconds)

    def pause(self) -> None:
        """It answers nothing any more, and keeps its connections."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends it, and removes its data."""
        if self.running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """Starts it."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends it."""
        self.close()

    def account(self) -> pwd.struct_passwd | None:
        """Whom it runs as; None for whoever runs the tests."""
        return pwd.getpwnam(self.user) if self.user and os.geteuid() == 0 else None

    def own(self, directory: Path) -> Path:
        """Gives the directory to the server's account."""
        if (account := self.account()) is not None:
            self.directory.chmod(0o755)
            for path in (directory, *directory.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        return directory

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)
        self._process = None
