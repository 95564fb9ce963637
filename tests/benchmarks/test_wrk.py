"""What wrk is given, and what is taken from its answer."""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest

from benchmarks import wrk
from benchmarks.__main__ import MissingPeerError

SAID = """Running 1s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   213.52us  153.91us   5.20ms   98.38%
    Req/Sec    76.38k     5.93k   80.27k    90.91%
  83539 requests in 1.10s, 13.30MB read
{more}Requests/sec:  75946.45
Transfer/sec:     12.09MB
"""


def test_the_rate_is_read() -> None:
    assert wrk.parse(SAID.format(more="")) == 75946.45


@pytest.mark.parametrize("more", ["  Non-2xx or 3xx responses: 1\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"])
def test_a_lap_with_errors_is_no_figure(more: str) -> None:
    with pytest.raises(AssertionError):
        wrk.parse(SAID.format(more=more))


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(MissingPeerError, match="no-such-thing needed: `apt-get install things`"):
        wrk.need(**{"sh": "dash", "no-such-thing": "things"})


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_wrk_posts_what_the_script_says_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    body = {"claims": {"sub": 'ü "quoted" \\', "aud": ["a", "b"]}}
    seen: set[tuple[str, str, str, str]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            line, *lines = head.decode().strip().split("\r\n")
            headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
            text = (await reader.readexactly(int(headers["content-length"]))).decode()
            seen.add((line, headers["authorization"], headers["content-type"], text))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def until_it_hangs_up(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    script = wrk.post(tmp_path / "post.lua", body, {"Authorization": "Bearer secret"})
    assert script.stat().st_mode & 0o777 == 0o600
    async with await asyncio.start_server(until_it_hangs_up, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/sign"
        assert await asyncio.to_thread(wrk.rate, url, script, seconds=1) > 0
    [(line, authorization, kind, text)] = seen
    assert (line, authorization, kind) == ("POST /sign HTTP/1.1", "Bearer secret", "application/json")
    assert json.loads(text) == body


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_its_threads_ask_the_ports_in_turn(tmp_path: Path) -> None:
    asked: set[int] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n{}"):
                asked.add(writer.get_extra_info("sockname")[1])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as one, await asyncio.start_server(serve, "127.0.0.1", 0) as other:
        ports = [server.sockets[0].getsockname()[1] for server in (one, other)]
        script = wrk.post(tmp_path / "post.lua", {}, {}, ports)
        assert await asyncio.to_thread(wrk.rate, f"http://127.0.0.1:{ports[0]}/", script, seconds=1, threads=2) > 0
    assert asked == set(ports)
