"""The framework's own answer to a body that is too large, as problem details like every other error."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from services.api.problems import MEDIA_TYPE, TYPE_BASE
from services.api.published import Asgi, AsgiScope, Message, Receive, Send

_BODY: Final = json.dumps(
    {
        "type": TYPE_BASE + "too-large",
        "title": "The request is too large",
        "status": 413,
        "detail": "this route takes smaller bodies; send less at once",
    }
).encode()
_HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"content-length", b"%d" % len(_BODY)),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
]


class TooLargeAsProblem:
    """Replaces a plain-text 413, which the framework sends before any route or error handler is asked."""

    def __init__(self, application: Asgi) -> None:
        self._application = application

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        replaced = False

        async def sending(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                types = [value for name, value in message["headers"] if name == b"content-type"]
                replaced = not types or types[0].startswith(b"text/plain")
                if replaced:
                    await send({**message, "headers": _HEADERS})
                    await send({"type": "http.response.body", "body": _BODY})
                    return
            if not replaced:
                await send(message)

        await self._application(scope, receive, sending)
