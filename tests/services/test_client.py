"""The commands' HTTP client, on a service that takes its time."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from services.cli.client import Client
from services.errors import ServiceError
from services.settings import Settings

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def may_answer() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(may_answer: threading.Event) -> Iterator[Client]:
    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert may_answer.wait(30)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"events": 7}')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Client(Settings(url=f"http://127.0.0.1:{server.server_port}", token=SecretStr("secret")))
        may_answer.set()
        server.shutdown()


def test_whoever_gives_up_is_told_that_it_may_still_be_done(client: Client) -> None:
    with pytest.raises(ServiceError, match="may still be doing what it was asked") as refused:
        client.ask("POST", "/v1/tenants/acme/events/rebuild", seconds=0.05)
    assert "start it with" not in str(refused.value)


def test_long_work_is_waited_for(client: Client, may_answer: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.client._SECONDS", 0.05)
    with pytest.raises(ServiceError, match="may still be doing"):
        client.ask("POST", "/v1/tenants/acme/events/rebuild", seconds=0.05)
    threading.Timer(0.3, may_answer.set).start()
    assert client.ask("POST", "/v1/tenants/acme/events/rebuild", seconds=None) == {"events": 7}
