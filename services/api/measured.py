"""How long requests take: an ASGI application around another one."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from dashboards.metrics import HTTP_SECONDS
from services.api.published import Asgi, AsgiScope, Message, Receive, Send

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Measured:
    """Measures from the request to the last byte of the answer, except for answers that have no end of their own, as a live tail."""

    def __init__(self, application: Asgi) -> None:
        self._application = application

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started, status, endless = perf_counter(), 500, False  # what ends without an answer, ends with this one

        async def told(message: Message) -> None:
            nonlocal status, endless
            if message["type"] == "http.response.start":
                status = message["status"]
                endless = any(
                    name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message.get("headers", ())
                )
            await send(message)

        try:
            await self._application(scope, receive, told)
        finally:
            if not endless:
                method = scope["method"] if scope["method"] in _METHODS else "other"
                HTTP_SECONDS.labels(method, f"{status // 100}xx").observe(perf_counter() - started)
