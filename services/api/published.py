"""The public documents, answered before the framework: an ASGI application of a few dictionary look-ups."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from dashboards.metrics import PUBLISHED, PUBLISHED_STATUSES
from services.keys.publication import Document, Publication

Message = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Asgi = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

_TENANT: Final = r"(?P<tenant>[a-z0-9-]{1,63})"
_PATH: Final = re.compile(
    rf"/t/{_TENANT}/(?:(?:rp/(?P<party>[a-z0-9-]{{1,63}})/|\.well-known/)?jwks\.json"
    r"|\.well-known/(?P<metadata>openid-configuration|oauth-authorization-server))"
)
_RFC_8414: Final = re.compile(rf"/\.well-known/oauth-authorization-server/t/{_TENANT}")
"""Where RFC 8414, section 3.1, looks for the metadata of an issuer with a path: before the path, not behind it."""
_ANSWERED: Final = {status: PUBLISHED.labels(status) for status in PUBLISHED_STATUSES}
_WHOSE: Final = re.compile(rf"(?:/\.well-known/oauth-authorization-server)?/t/{_TENANT}(?:/.*)?")
_AT: Final = re.compile(rb"(?:^|&)at=")
_CORS: Final = (b"access-control-allow-origin", b"*")  # public documents: any web page may read them
_EXPOSED: Final = (b"access-control-expose-headers", b"ETag")  # so that a web page can ask whether it has the newest
_PREFLIGHT: Final = [
    _CORS,
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, Cache-Control"),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


class PublishedFirst:
    """Answers the public documents of tenants itself, and hands everything else to the application behind it.

    Under a tenant's own domain the same documents are there without `/t/TENANT`, and nothing else is: whoever has the domain's name could
    lead it elsewhere, so no session of the console may begin there, and no token be sent there but for the tenant's own past.
    """

    def __init__(self, application: Asgi, publication: Publication, now: Callable[[], int]) -> None:
        self._application = application
        self._publication = publication
        self._now = now
        self._starts: dict[tuple[str, bool], tuple[Document, Message, Message, Message]] = {}
        self._responses: dict[str, tuple[Document, Headers, bytes]] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path: str = scope.get("path", "")
        http = scope["type"] == "http"
        hosts = [value for name, value in scope["headers"] if name == b"host"] if http else []
        if http and len(hosts) != 1 and (hosts or scope["http_version"] == "1.1"):
            # RFC 9112, section 3.2. Of two, whoever stands before us may have gone by the other.
            await _plain(send, 400, b'{"detail":"a request has one Host header"}')
            return
        if hosts and (owner := self._publication.owner(hosts[0])) is not None:
            if _PATH.fullmatch(own := f"/t/{owner}{path}") is not None:
                path = own
                scope = {**scope, "path": path, "raw_path": path.encode()}
            elif (whose := _WHOSE.fullmatch(path)) is None or whose["tenant"] != owner:
                await self._nothing(b"document under this domain", send)
                return
        # With `at=` it is a question about the past, which needs a token; whatever else stands there is somebody's cache buster.
        if not path.startswith(("/t/", "/.well-known/")) or not http or _AT.search(scope["query_string"]):
            await self._application(scope, receive, send)
        elif (match := _PATH.fullmatch(path)) is not None:
            await self._serve(scope, match["tenant"], match["party"], match["metadata"] is not None, send)
        elif (match := _RFC_8414.fullmatch(path)) is not None:
            await self._serve(scope, match["tenant"], None, True, send)
        else:
            await self._application(scope, receive, send)

    def jwks_response(self, tenant: str, host: bytes, default_headers: Headers) -> bytes | None:
        """The whole answer to a plain `GET` of the tenant's JWKS, as it goes over the wire, or None if there is no such tenant here.

        Args:
            tenant: the one in the path.
            host: the `Host` header.
            default_headers: that the server puts before those of every answer; a new list when they change, as the date does each second.
        """
        if self._publication.owner(host) not in {None, tenant} or (document := self._publication.jwks(tenant, self._now())) is None:
            return None
        held = self._responses.get(tenant)
        if held is None or held[0] is not document or held[1] is not default_headers:
            start, body, _ = self._messages((tenant, False), document)
            lines = [b"%b: %b\r\n" % header for header in (*default_headers, *start["message"]["headers"])]
            whole = b"".join((b"HTTP/1.1 200 OK\r\n", *lines, b"\r\n", body["body"]))
            held = self._responses[tenant] = (document, default_headers, whole)
        _ANSWERED[200].inc()
        return held[2]

    async def _serve(self, scope: AsgiScope, tenant: str, party: str | None, metadata: bool, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            _ANSWERED[204].inc()
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return
        if method not in {"GET", "HEAD"}:
            _ANSWERED[405].inc()
            await _plain(send, 405, b'{"detail":"these documents can be read only"}', (b"allow", b"GET, HEAD, OPTIONS"))
            return
        now = self._now()
        if metadata:
            document = self._publication.discovery(tenant, now)
        elif party is not None:
            document = self._publication.relying_party_jwks(tenant, party, now)
        else:
            document = self._publication.jwks(tenant, now)
        if document is None:
            what = b"tenant" if party is None else b"tenant, or it has no relying party with a URL of its own by this name"
            await self._nothing(what, send)
            return
        if party is not None and method == "GET":
            self._publication.fetched(tenant, party)
        start, body, unchanged = self._messages((tenant, metadata), document)
        if _known(scope, start["etag"]):
            _ANSWERED[304].inc()
            await send(unchanged)
            await send({"type": "http.response.body", "body": b""})
            return
        _ANSWERED[200].inc()
        await send(start["message"])
        await send(body if method == "GET" else {"type": "http.response.body", "body": b""})

    async def _nothing(self, what: bytes, send: Send) -> None:
        _ANSWERED[404].inc()
        await _plain(send, 404, b'{"detail":"there is no such %s"}' % what)

    def _messages(self, which: tuple[str, bool], document: Document) -> tuple[Message, Message, Message]:
        """The ASGI messages of a document, made once; those of the path's last document are forgotten."""
        held = self._starts.get(which)
        if held is None or held[0] is not document:
            etag = document.etag.encode()
            caching = [(b"cache-control", b"public, max-age=%d" % document.max_age), (b"etag", etag), _CORS, _EXPOSED]
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(document.body)), *caching]
            start = {"etag": etag, "message": {"type": "http.response.start", "status": 200, "headers": headers}}
            unchanged = {"type": "http.response.start", "status": 304, "headers": caching}
            held = self._starts[which] = (document, start, {"type": "http.response.body", "body": document.body}, unchanged)
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
