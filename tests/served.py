"""A platform of this process behind a socket: what streams are read from while they are written."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn

from services.platform import Platform
from services.server import configuration
from tests.daemon import PATIENCE


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are pytest's."""
        yield


@asynccontextmanager
async def served(platform: Platform) -> AsyncIterator[str]:
    """The URL of the platform's API, while the context is open."""
    server = _Server(configuration(platform))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            platform.live_tails.close()
            server.should_exit = True
            await serving


class Stream:
    """A stream of server-sent events, as a client reads it.

    Attributes:
        id: the last one that came; what a client sends when it connects again.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._frames = _frames(answer)
        self.id: str | None = None

    async def frame(self) -> dict[str, str]:
        """The next frame: its fields, a comment as the field without a name."""
        async with asyncio.timeout(PATIENCE):
            frame = await anext(self._frames)
        self.id = frame.get("id", self.id)
        return frame

    async def event(self) -> dict[str, Any]:
        """The next event of the log."""
        while "data" not in (frame := await self.frame()) or "event" in frame:
            pass
        found: dict[str, Any] = json.loads(frame["data"])
        return found

    async def problem(self) -> dict[str, Any]:
        """The next problem; events of the log are passed over."""
        while (frame := await self.frame()).get("event") != "problem":
            pass
        found: dict[str, Any] = json.loads(frame["data"])
        return found

    async def ended(self) -> bool:
        """Returns when the service has ended it in order."""
        async for _ in self._frames:
            pass
        return True


async def _frames(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    text = b""
    async for part in answer.aiter_bytes():
        *frames, text = (text + part).split(b"\n\n")  # not by lines of text: Unicode has more line breaks than the format
        for frame in frames:
            fields = (line.decode().partition(": ") for line in frame.split(b"\n"))
            yield {name: value for name, _, value in fields}


@asynccontextmanager
async def listening(client: httpx.AsyncClient, tenant: str = "acme", *, last: str | None = None, **params: str) -> AsyncIterator[Stream]:
    """A live tail that the service has begun to answer."""
    headers = {b"Accept": b"text/event-stream", **({b"Last-Event-ID": last.encode()} if last is not None else {})}
    async with client.stream("GET", f"/v1/tenants/{tenant}/events/tail", params=params, headers=headers, timeout=PATIENCE) as answer:
        if answer.is_error:
            await answer.aread()
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)
