"""`tenantry tail -f`, on a service whose index is being built anew for a while: it waits, and goes on behind what it has."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from services.api.problems import described
from services.cli import ask
from services.cli.client import Client
from services.errors import Forbidden, ServiceError
from services.settings import Settings
from streams.errors import IndexBeingBuilt, IndexUnavailable, QueryError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
BUILT = described(IndexBeingBuilt("acme"))


class Told:
    """A service that answers as it is told to, one answer after another, and what it was asked to go on behind."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.behind: list[str | None] = []
        self.url = ""

    def followed(self) -> Iterator[str]:
        """The ids of the events that the command shows."""
        client = Client(Settings(url=self.url, token=SecretStr("secret")))
        return (event["event.id"] for event in ask._followed(client, "/v1/tenants/acme/events/tail", {}))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    found = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.behind.append(self.headers["Last-Event-ID"])
            status, body = found.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", "text/event-stream" if status == 200 else "application/problem+json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr("services.cli.client.time.sleep", lambda _: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()


def event(identifier: str) -> str:
    return f"data: {json.dumps({'event.id': identifier})}\nid: after-{identifier}\n\n"


def problem(error: Exception) -> str:
    return f"event: problem\ndata: {json.dumps(described(error))}\n\n"


@pytest.mark.parametrize("trouble", [IndexBeingBuilt("acme"), IndexUnavailable("away")])
def test_a_trouble_that_passes_is_told_and_waited_for(told: Told, capsys: pytest.CaptureFixture[str], trouble: Exception) -> None:
    told.answers = [(200, event("e1") + problem(trouble) + event("e2"))]
    events = told.followed()
    assert [next(events), next(events)] == ["e1", "e2"]
    assert str(trouble) in " ".join(capsys.readouterr().err.split())


def test_a_service_that_can_not_go_on_yet_is_asked_again_behind_the_last_event(told: Told) -> None:
    told.answers = [(200, event("e1")), (409, json.dumps(BUILT)), (409, json.dumps(BUILT)), (200, event("e2"))]
    events = told.followed()
    assert [next(events), next(events)] == ["e1", "e2"]
    assert told.behind == [None, "after-e1", "after-e1", "after-e1"]


@pytest.mark.parametrize("error", [QueryError("too many words"), Forbidden("revoked")])
def test_what_does_not_pass_ends_it(told: Told, error: Exception) -> None:
    told.answers = [(200, event("e1") + problem(error))]
    events = told.followed()
    assert next(events) == "e1"
    with pytest.raises(ServiceError, match=str(error)):
        next(events)
