"""The public documents, answered before the framework: an ASGI application of a few dictionary look-ups."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from services.keys.publication import Document, Publication

Message = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

_PATH: Final = re.compile(r"/t/([a-z0-9-]{1,63})/(jwks\.json|\.well-known/jwks\.json|\.well-known/openid-configuration)")
_AT: Final = re.compile(rb"(?:^|&)at=")
_CORS: Final = (b"access-control-allow-origin", b"*")  # public documents: any web page may read them
_PREFLIGHT: Final = [
    _CORS,
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match"),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


class PublishedFirst:
    """Answers the public documents of tenants itself, and hands everything else to the application behind it."""

    def __init__(self, application: Asgi, publication: Publication, now: Callable[[], int]) -> None:
        self._application = application
        self._publication = publication
        self._now = now
        self._starts: dict[tuple[str, str], tuple[Document, Message, Message, Message]] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path: str = scope.get("path", "")
        # With `at=` it is a question about the past, which needs a token; whatever else stands there is somebody's cache buster.
        if not path.startswith("/t/") or scope["type"] != "http" or _AT.search(scope["query_string"]):
            await self._application(scope, receive, send)
            return
        match = _PATH.fullmatch(path)
        if match is None:
            await self._application(scope, receive, send)
            return
        await self._serve(scope, match[1], match[2], send)

    async def _serve(self, scope: AsgiScope, tenant: str, name: str, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return
        if method not in {"GET", "HEAD"}:
            await _plain(send, 405, b'{"detail":"these documents can be read only"}', (b"allow", b"GET, HEAD, OPTIONS"))
            return
        now = self._now()
        document = self._publication.discovery(tenant, now) if name.endswith("configuration") else self._publication.jwks(tenant, now)
        if document is None:
            await _plain(send, 404, b'{"detail":"there is no such tenant"}')
            return
        start, body, unchanged = self._messages((tenant, name), document)
        if _known(scope, start["etag"]):
            await send(unchanged)
            await send({"type": "http.response.body", "body": b""})
            return
        await send(start["message"])
        await send(body if method == "GET" else {"type": "http.response.body", "body": b""})

    def _messages(self, path: tuple[str, str], document: Document) -> tuple[Message, Message, Message]:
        """The ASGI messages of a document, made once; those of the path's last document are forgotten."""
        held = self._starts.get(path)
        if held is None or held[0] is not document:
            etag = document.etag.encode()
            caching = [(b"cache-control", b"public, max-age=%d" % document.max_age), (b"etag", etag), _CORS]
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(document.body)), *caching]
            start = {"etag": etag, "message": {"type": "http.response.start", "status": 200, "headers": headers}}
            unchanged = {"type": "http.response.start", "status": 304, "headers": caching}
            held = self._starts[path] = (document, start, {"type": "http.response.body", "body": document.body}, unchanged)
        return held[1], held[2], held[3]


def _known(scope: AsgiScope, etag: bytes) -> bool:
    """Whether the client has this version (RFC 9110, section 13.1.2: weak comparison, a list, or `*`)."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            return value.strip() == b"*" or any(tag.strip().removeprefix(b"W/") == etag for tag in value.split(b","))
    return False


async def _plain(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        _CORS,
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
