"""The socket that the service listens on."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from services import server
from services.settings import Settings

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def fill(connection: socket.socket) -> None:
    while True:
        connection.send(bytes(65_536))


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")
def test_the_system_ends_a_connection_whose_client_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_UNTAKEN_MS", 300)
    with server._listen(Settings(data=tmp_path, host="127.0.0.1", port=0)) as listening, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 300
            accepted.settimeout(30)
            with pytest.raises(TimeoutError, match="Connection timed out"):  # of the system, and not that of the line above
                fill(accepted)
