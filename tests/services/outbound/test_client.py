"""Calls to addresses that tenants name: against real servers on this machine, with names that lead where the test says."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.errors import AddressRefused, NoAnswerInTime, OutboundError, TlsFailed, Unreachable
from services.outbound.allowed import Allowed
from tests.servers import certificates
from tests.servers.process import free_port
from tests.services.notices.receiver import Behaviour, Receiver, answer, cut_off, endless, hang
from tests.services.outbound.calls import PUBLIC, Names, outbound, push

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "::1"])


async def test_a_push_arrives_as_it_is(receiver: Receiver) -> None:
    receiver.on("/hook?a=b%20c", answer(202, b"thanks", "X-Answer: 42"))
    async with outbound() as client:
        got = await client.push(receiver.url("/hook?a=b%20c"), b"hello", {"Content-Type": "text/plain"})
    assert (got.status, got.body, got.headers["x-answer"]) == (202, b"thanks", "42")
    [request] = receiver.got
    assert (request.method, request.path, request.body) == ("POST", "/hook?a=b%20c", b"hello")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "text/plain"
    assert "cookie" not in request.headers


async def test_the_operating_system_is_asked_for_names(receiver: Receiver) -> None:
    async with outbound(Allowed.parse("localhost")) as client:
        assert await push(client, f"http://localhost:{receiver.port}/") == 202


async def test_a_host_that_is_not_there() -> None:
    async with outbound(resolve=Names({"empty.test": [[]]})) as client:
        for host in ("nobody.test", "empty.test"):
            with pytest.raises(Unreachable, match=f"no host '{host}'"):
                await push(client, f"https://{host}/")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/", "http://2130706433:{}/", "http://0x7f.1:{}/", "http://[::ffff:127.0.0.1]:{}/", "http://localhost:{}/"]
)
async def test_this_machine_is_refused_however_it_is_written(receiver: Receiver, url: str) -> None:
    async with outbound(Allowed()) as client:
        with pytest.raises(AddressRefused, match="TENANTRY_OUTBOUND_ALLOW"):
            await push(client, url.format(receiver.port))
    assert receiver.got == []


async def test_one_bad_address_of_several_is_enough(receiver: Receiver) -> None:
    names = Names({"hook.test": [[PUBLIC, "127.0.0.1"]]})
    async with outbound(Allowed(), resolve=names) as client:
        with pytest.raises(AddressRefused, match=r"hook\.test has an address that is loopback") as refused:
            await push(client, f"https://hook.test:{receiver.port}/")
    assert "127.0.0.1" not in str(refused.value), "what the operator's names lead to is not the tenant's to know"
    assert receiver.got == []


async def test_a_public_address_takes_tls() -> None:
    async with outbound(Allowed(), resolve=Names({"hook.test": [[PUBLIC]]})) as client:
        with pytest.raises(AddressRefused, match="without TLS"):
            await push(client, "http://hook.test/")


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names({"rebind.test": [["127.0.0.1"], ["127.0.0.2"]]})
    looked_up: list[Any] = []
    real = socket.getaddrinfo

    def watched(host: Any, *arguments: Any, **more: Any) -> Any:
        looked_up.append(host)
        return real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    async with outbound(Allowed.parse("127.0.0.1"), resolve=names) as client:
        assert await push(client, f"http://rebind.test:{receiver.port}/") == 202
        assert names.asked == ["rebind.test"]
        assert "rebind.test" not in looked_up
        assert receiver.got[0].headers["host"] == f"rebind.test:{receiver.port}"
        with pytest.raises(AddressRefused):  # asked anew for each request, and checked anew
            await push(client, f"http://rebind.test:{receiver.port}/")


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
async def test_a_dead_address_leaves_the_others(receiver: Receiver) -> None:
    names = Names({"hook.test": [["127.0.0.2", "127.0.0.1"]]})  # at the first, nobody listens
    async with outbound(resolve=names) as client:
        assert await push(client, f"http://hook.test:{receiver.port}/") == 202


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [(hang, NoAnswerInTime), (cut_off, Unreachable), (answer(99999), Unreachable)],
    ids=["hangs", "cut off", "no HTTP"],
)
async def test_who_does_not_answer_is_not_waited_for(receiver: Receiver, behaviour: Behaviour, error: type[OutboundError]) -> None:
    receiver.on("/s3cret", behaviour)
    async with outbound(seconds=0.5) as client:
        with pytest.raises(error, match=r"127\.0\.0\.1") as said:
            await push(client, receiver.url("/s3cret"))
    assert "s3cret" not in str(said.value)


async def test_who_answers_byte_by_byte_is_not_waited_for_either(receiver: Receiver) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.05)

    receiver.on("/", drip)
    async with outbound(seconds=0.5) as client:
        with pytest.raises((NoAnswerInTime, Unreachable)):
            await push(client, receiver.url())


async def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with outbound(resolve=never, seconds=0.1) as client:
        with pytest.raises(NoAnswerInTime, match=r"hook\.test"):
            await push(client, "https://hook.test/")


async def test_nobody_listens() -> None:
    async with outbound() as client:
        with pytest.raises(Unreachable, match="look whether it listens"):
            await push(client, f"http://127.0.0.1:{free_port()}/")


async def test_a_push_follows_no_redirect_and_reads_no_more_than_it_needs(receiver: Receiver) -> None:
    receiver.on("/moved", answer(308, b"", "Location: /"))
    receiver.on("/endless", endless(202))
    async with outbound() as client:
        assert await push(client, receiver.url("/moved")) == 308
        got = await client.push(receiver.url("/endless"), b"", {})
    assert got.status == 202
    assert len(got.body) <= 16_385
    assert [one.path for one in receiver.got] == ["/moved", "/endless"]


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with outbound() as client:
        assert await push(client, receiver.url()) == 202


async def test_cookies_are_not_kept(receiver: Receiver) -> None:
    receiver.on("/", answer(202, b"", "Set-Cookie: a=b; Path=/"))
    async with outbound() as client:
        await push(client, receiver.url())
        await push(client, receiver.url())
    assert [one.headers.get("cookie") for one in receiver.got] == [None, None]


async def test_tls_goes_by_the_name_though_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificates.write(tmp_path)))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "node.pem", tmp_path / "node-key.pem")
    asked_for: list[str | None] = []
    server_side.sni_callback = lambda _, name, __: asked_for.append(name)
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    names = Names({"localhost": [["127.0.0.1"]], "hook.test": [["127.0.0.1"]]})
    try:
        async with outbound(resolve=names, tls=trusted) as client:
            assert await push(client, f"https://localhost:{port}/") == 202
            with pytest.raises(TlsFailed, match=r"hook\.test"):  # the certificate is localhost's
                await push(client, f"https://hook.test:{port}/")
        async with outbound(resolve=names) as client:
            with pytest.raises(TlsFailed):  # nobody knows its authority
                await push(client, f"https://localhost:{port}/")
    finally:
        server.close()
        await receiver.end()
        await server.wait_closed()
    assert asked_for == ["localhost", "hook.test", "localhost"]
    assert [got.headers["host"] for got in receiver.got] == [f"localhost:{port}"]
