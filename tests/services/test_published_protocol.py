"""Over a real socket: what is answered at once is what the application answers, whatever else comes over the connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from services.api.published import PublishedFirst
from services.api.published_protocol import PublishedProtocol
from services.api.repeated import LONGEST, MOST, Asked, Repeated
from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.served import served

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PATH = "/t/acme/jwks.json"
PLAIN = f"GET {PATH} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
USUAL = f"GET {PATH}?x=1 HTTP/1.1\r\nHost: test\r\n\r\n".encode()
"""The same document, by the application: there is a query."""
_DATE = re.compile(rb"date: [^\r]+\r\n")


class Wire:
    """A connection, and what comes over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> bytes:
        """Sends it, and waits for one answer; without its date."""
        self._writer.write(request)
        return await self.answer(head=request.startswith(b"HEAD"))

    async def answer(self, *, head: bool = False) -> bytes:
        """The next answer on the wire, without its date."""
        async with asyncio.timeout(PATIENCE):
            start = await self._reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", start)
            body = b"" if head or length is None else await self._reader.readexactly(int(length[1]))
        assert _DATE.search(start), start
        return _DATE.sub(b"", start) + body

    async def closed(self) -> bool:
        """Returns when the server has closed it; nothing more came."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read() == b""


@pytest.fixture
async def wire(here: Site) -> AsyncIterator[Wire]:
    await here.create("acme")
    async with served(here.platform) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the application was asked for."""
    found: list[str] = []
    serve = PublishedFirst.__call__

    async def noting(self: PublishedFirst, scope: dict[str, str], receive: object, send: object) -> None:
        found.append(scope["path"])
        await serve(self, scope, receive, send)  # type: ignore[arg-type]

    monkeypatch.setattr(PublishedFirst, "__call__", noting)
    return found


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each request that was parsed."""
    found: list[None] = []
    begin = PublishedProtocol.on_message_begin

    def noting(self: PublishedProtocol) -> None:
        found.append(None)
        begin(self)

    monkeypatch.setattr(PublishedProtocol, "on_message_begin", noting)
    return found


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[PublishedProtocol]:
    """The server's side of each connection."""
    found: list[PublishedProtocol] = []
    made = PublishedProtocol.connection_made

    def noting(self: PublishedProtocol, transport: asyncio.Transport) -> None:
        found.append(self)
        made(self, transport)

    monkeypatch.setattr(PublishedProtocol, "connection_made", noting)
    return found


@pytest.mark.parametrize("path", [PATH, "/t/acme/.well-known/jwks.json"])
async def test_the_answer_is_the_applications_and_the_application_is_not_asked(wire: Wire, asked: list[str], path: str) -> None:
    plain = PLAIN.replace(PATH.encode(), path.encode())
    answers = [await wire.ask(plain) for _ in range(3)]
    assert asked == []
    assert answers == [await wire.ask(USUAL)] * 3
    assert asked == [PATH]
    assert b'{"keys":[{' in answers[0]


async def test_what_is_out_of_the_ordinary_is_left_to_the_application(wire: Wire, asked: list[str]) -> None:
    etag = re.search(rb'etag: ("[^"]+")', await wire.ask(PLAIN))
    assert etag is not None
    for request, status in (
        (PLAIN.replace(b"\r\n\r\n", b"\r\nIf-None-Match: " + etag[1] + b"\r\n\r\n"), b"304"),
        (PLAIN.replace(b"GET", b"HEAD"), b"200"),
        (PLAIN.replace(b"GET", b"POST"), b"405"),
        (PLAIN.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi"), b"200"),
        (PLAIN.replace(b"Host: test\r\n", b""), b"400"),
        (PLAIN.replace(b"Host: test\r\n", b"Host: test\r\nHost: test\r\n"), b"400"),
        (b"GET /readyz HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n", b"400"),
        (PLAIN.replace(b"acme", b"nobody"), b"404"),
        (PLAIN.replace(b"acme", b"ACME"), b"401"),
        (PLAIN.replace(b"/jwks", b"//jwks"), b"404"),
        (PLAIN.replace(b"acme", b"%61cme"), b"200"),
        (PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"), b"200"),
    ):
        before = len(asked)
        answer = await wire.ask(request)
        assert answer.startswith(b"HTTP/1.1 " + status), (request, answer)
        assert len(asked) == before + 1, request
    assert await wire.ask(PLAIN) == await wire.ask(USUAL)


async def test_under_another_tenants_domain_there_is_no_answer(here: Site, wire: Wire) -> None:
    await here.create("globex")
    plain = await wire.ask(PLAIN)
    assert [await wire.ask(PLAIN.replace(b"Host: test", b"Host: id.globex.example")) for _ in range(2)] == [plain, plain]
    for tenant in ("acme", "globex"):
        body = {"domains": [f"id.{tenant}.example"]}
        assert (await here.operator.put(f"/v1/tenants/{tenant}/domains", json=body)).is_success
    own, other = (PLAIN.replace(b"Host: test", f"Host: id.{tenant}.example".encode()) for tenant in ("acme", "globex"))
    assert await wire.ask(own) == await wire.ask(PLAIN)
    assert await wire.ask(own.replace(b"/t/acme", b"")) == await wire.ask(PLAIN)
    assert (await wire.ask(other)).startswith(b"HTTP/1.1 404")
    assert await wire.ask(other.replace(b"/t/acme", b"")) == await wire.ask(PLAIN.replace(b"acme", b"globex"))


async def test_what_has_come_before_is_not_parsed_again_on_any_connection(here: Site, parsed: list[None], wire: Wire) -> None:
    once = PLAIN.replace(b"\r\n\r\n", b"\r\nUser-Agent: once\r\n\r\n")
    first = await wire.ask(once)
    assert len(parsed) == 1
    assert [await wire.ask(once) for _ in range(3)] == [first] * 3
    async with served(here.platform) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        assert await Wire(reader, writer).ask(once) == first
        writer.close()
    assert len(parsed) == 1


async def test_what_has_come_before_asks_nothing_where_it_is_the_body_or_the_end_of_another_request(
    protocols: list[PublishedProtocol], wire: Wire
) -> None:
    missing = PLAIN.replace(b"acme", b"nobody")
    nothing = await wire.ask(missing)
    assert await wire.ask(PLAIN) != nothing
    [protocol] = protocols  # which is given each part by itself: over the wire, two may come as one
    head = b"POST /readyz HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(PLAIN)
    assert (await wire.ask(head)).startswith(b"HTTP/1.1 405")  # before its body has come
    protocol.data_received(PLAIN)
    assert await wire.ask(missing) == nothing, "it was the body"
    protocol.data_received(missing.replace(b"Host: test\r\n\r\n", b"Other: "))
    protocol.data_received(PLAIN)
    assert await wire.answer() == nothing, "it was a header and the end"


@pytest.mark.parametrize("header", ["Authorization: Bearer abc", "Cookie: session=abc", "X-Api-Key: abc", "X-Forwarded-For: 192.0.2.1"])
async def test_a_request_with_a_secret_or_with_what_changes_is_not_remembered(parsed: list[None], wire: Wire, header: str) -> None:
    request = PLAIN.replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode())
    answers = [await wire.ask(request) for _ in range(3)]
    assert len(parsed) == 3
    assert answers == [await wire.ask(PLAIN)] * 3


async def test_a_deleted_tenant_is_not_answered_for_though_its_request_is_remembered(here: Site, wire: Wire) -> None:
    assert (await wire.ask(PLAIN)) == (await wire.ask(PLAIN))
    assert (await here.operator.delete("/v1/tenants/acme")).is_success
    assert (await wire.ask(PLAIN)).startswith(b"HTTP/1.1 404")


def test_not_many_requests_are_remembered_and_no_long_ones() -> None:
    requests, asks = Repeated(), Asked("acme", b"test")
    for number in range(MOST):
        requests.keep(b"%d" % number, asks)
    assert requests.find(b"0") == asks
    requests.keep(b"one more", asks)
    assert (requests.find(b"0"), requests.find(b"one more")) == (None, asks)
    requests.keep(b"x" * (LONGEST + 1), asks)
    assert requests.find(b"x" * (LONGEST + 1)) is None


async def test_requests_in_one_packet_are_answered_in_their_order(wire: Wire) -> None:
    plain, usual = await wire.ask(PLAIN), await wire.ask(USUAL)
    missing = PLAIN.replace(b"acme", b"nobody")
    nothing = await wire.ask(missing)
    requests = [PLAIN, missing, PLAIN, USUAL, PLAIN, PLAIN, missing]
    answers = {PLAIN: plain, USUAL: usual, missing: nothing}
    first = await wire.ask(b"".join(requests))
    assert [first, *[await wire.answer() for _ in requests[1:]]] == [answers[one] for one in requests]


@pytest.mark.parametrize("old", [PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), PLAIN.replace(b"1.1", b"1.0")])
async def test_a_connection_that_is_to_be_closed_is_closed(wire: Wire, old: bytes) -> None:
    plain = await wire.ask(PLAIN)
    assert (await wire.ask(old)).replace(b"connection: close\r\n", b"") == plain
    assert await wire.closed()


async def test_an_idle_connection_is_closed_and_one_with_a_request_under_way_is_not(
    here: Site, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()
    handler = PublishedProtocol.timeout_keep_alive_handler

    def idle(self: PublishedProtocol) -> None:
        handler(self)
        ended.set()

    monkeypatch.setattr(PublishedProtocol, "timeout_keep_alive_handler", idle)
    init = PublishedProtocol.__init__

    def impatient(self: PublishedProtocol, *args: object, **named: object) -> None:
        init(self, *args, **named)  # type: ignore[arg-type]
        self.timeout_keep_alive = 0  # the first turn of the loop in which nothing is asked

    monkeypatch.setattr(PublishedProtocol, "__init__", impatient)
    async with served(here.platform) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        other = Wire(reader, writer)
        plain = await other.ask(PLAIN + b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n")
        assert plain == await wire.ask(PLAIN)
        assert (await other.answer()).startswith(b"HTTP/1.1 200")
        assert await other.closed()
        assert ended.is_set()
        writer.close()


async def test_a_rotation_is_in_the_next_answer(here: Site, wire: Wire) -> None:
    before = await wire.ask(PLAIN)
    assert (await here.operator.post("/v1/tenants/acme/keys/rotate", json={"activate": True, "reason": "now"})).is_success
    after = await wire.ask(PLAIN)
    assert after != before
    assert after == await wire.ask(USUAL)
