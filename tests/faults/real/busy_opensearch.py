"""A way to OpenSearch on which a share of what is to be indexed meets an engine that is too busy, or that leads nowhere."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import uvicorn

_BUSY: Final = {
    "create": {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "rejected execution of coordinating operation"}}
}
_DROPPED: Final = {"content-length", "transfer-encoding", "content-encoding", "connection", "host", "accept-encoding"}


class BusyOpenSearch:
    """An ASGI application that hands requests on.

    Attributes:
        share: of the items of bulk requests that are answered with 429, and not handed on.
        away: whether connections are closed without an answer: all of them, or those whose path begins with this.
        refused: how many items were answered with 429.
        handed: how many were handed on.
    """

    def __init__(self, opensearch: Any, dice: random.Random) -> None:
        self.share = 0.0
        self.away: bool | str = False
        self.refused = self.handed = 0
        self.port = 0
        self._dice = dice
        context = ssl.create_default_context(cafile=opensearch.ca)
        self._client = httpx.AsyncClient(base_url=opensearch.url, verify=context, timeout=60)

    def url(self, direct: str) -> str:
        """The URL of the settings that goes by this way."""
        parts = urlsplit(direct)
        return f"opensearch://{parts.username}@127.0.0.1:{self.port}{parts.path}"

    async def close(self) -> None:
        """Ends its connections."""
        await self._client.aclose()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if self.away is True or (self.away and scope["path"].startswith(self.away)):
            raise ConnectionResetError
        status, kind, answer = await self._answer(scope, body)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Any, body: bytes) -> tuple[int, str, bytes]:
        if scope["path"] != "/_bulk" or not self.share:
            return await self._forward(scope, body)
        lines = body.split(b"\n")
        items = [lines[start : start + 2] for start in range(0, len(lines) - 1, 2)]
        busy = [self._dice.random() < self.share for _ in items]
        self.refused += sum(busy)
        self.handed += len(items) - sum(busy)
        taken = b"".join(line + b"\n" for item, no in zip(items, busy, strict=True) if not no for line in item)
        answers: Iterator[Any] = iter(())
        if taken:
            status, kind, answer = await self._forward(scope, taken)
            if status != 200:
                return status, kind, answer
            answers = iter(json.loads(answer)["items"])
        merged = [_BUSY if no else next(answers) for no in busy]
        return 200, "application/json", json.dumps({"errors": True, "items": merged}).encode()

    async def _forward(self, scope: Any, body: bytes) -> tuple[int, str, bytes]:
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name.decode() not in _DROPPED}
        path = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        answer = await self._client.request(scope["method"], path, content=body, headers=headers)
        return answer.status_code, answer.headers.get("content-type", "application/json"), answer.content


class _Quiet(uvicorn.Server):
    """Leaves the signals of the tests alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are captured."""
        yield


@asynccontextmanager
async def busy_opensearch(opensearch: Any, dice: random.Random) -> AsyncIterator[BusyOpenSearch]:
    """Such a way, in this process, on a port of its own."""
    application = BusyOpenSearch(opensearch, dice)
    server = _Quiet(uvicorn.Config(application, port=0, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 -- it has no event for it
                await asyncio.sleep(0.01)
        application.port = server.servers[0].sockets[0].getsockname()[1]
        yield application
    finally:
        server.should_exit = True
        await serving
        await application.close()
