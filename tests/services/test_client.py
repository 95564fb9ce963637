"""The commands' HTTP client, on a service that takes its time."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.cli.client import Client
from services.errors import ServiceError, SettingsError
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


@pytest.mark.parametrize("given", ["tnt_s3cret\n", "  tnt_s3cret\r\n", "\ttnt_s3cret "])
def test_what_is_around_a_token_is_no_part_of_it(given: str) -> None:
    client = Client(Settings(token=SecretStr(given)))
    assert client._client.headers["Authorization"] == "Bearer tnt_s3cret"


@pytest.mark.parametrize("given", ["tnt_\ns3cret", "tnt_\x00s3cret", "tnt_s3cret tnt_other", "tnt_s3crét", "tnt_\x7fs3cret"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(SettingsError, match="TENANTRY_TOKEN holds no token") as refused:
        Client(Settings(token=SecretStr(given)))
    assert "s3cr" not in str(refused.value)


def test_an_empty_token_is_none(tmp_path: Path) -> None:
    settings = Settings(token=SecretStr(" \n"), data=tmp_path)
    with pytest.raises(SettingsError, match="there is no token: set TENANTRY_TOKEN"):
        Client(settings)
    settings.operator_token_file.write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        Client(settings)
    settings.operator_token_file.write_text("tnt_operator\n")
    assert Client(settings)._client.headers["Authorization"] == "Bearer tnt_operator"
