"""A relying party's receiver of pushed events: a real HTTP server that behaves as it is told, on each path by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from keyvault import base64url

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    """Answers with this."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return behave


async def hang(_: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def cut_off(_: asyncio.StreamWriter) -> None:
    """Ends the connection without an answer."""


def endless(status: int) -> Behaviour:
    """Answers, and goes on for ever."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Whatever\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    return behave


ACCEPTED = answer(202)


@dataclass(frozen=True)
class Got:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def header(self) -> dict[str, Any]:
        """The token's header, not verified."""
        return self._part(0)

    @property
    def claims(self) -> dict[str, Any]:
        """The token's claims, not verified."""
        return self._part(1)

    @property
    def event(self) -> str:
        """What it tells, by the last part of its URI."""
        [uri] = self.claims["events"]
        return str(uri).rpartition("/")[2]

    def _part(self, number: int) -> dict[str, Any]:
        part: dict[str, Any] = json.loads(base64url.decode(self.body.decode().split(".")[number]))
        return part


class Receiver:
    """Answers each request as the next behaviour of its path says; the last one stays."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.port = 0
        self._behaviours: dict[str, deque[Behaviour]] = defaultdict(lambda: deque([ACCEPTED]))
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/") -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, path: str, *behaviours: Behaviour) -> None:
        """From now on it behaves like this there."""
        self._behaviours[path] = deque(behaviours)

    def on_path(self, path: str) -> list[Got]:
        """What came there."""
        return [got for got in self.got if got.path == path]

    async def has(self, count: int, path: str = "/") -> list[Got]:
        """Returns when so many requests have come to the path."""
        async with asyncio.timeout(60), self._came:
            await self._came.wait_for(lambda: len(self.on_path(path)) >= count)
        return self.on_path(path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                got = await _request(reader)
                async with self._came:
                    self.got.append(got)
                    self._came.notify_all()
                behaviours = self._behaviours[got.path]
                await (behaviours.popleft() if len(behaviours) > 1 else behaviours[0])(writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def end(self) -> None:
        """Lets all connections go."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Got:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(method, path, headers, body, asyncio.get_running_loop().time())


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver that listens while the context is open."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.end()
        await server.wait_closed()
