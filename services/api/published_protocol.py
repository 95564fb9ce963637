"""uvicorn's protocol, which answers a plain `GET` of a JWKS in the very call that has read it."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.api.head_with_body import HeadWithBody
from services.api.published import PublishedFirst
from services.api.repeated import Asked, Repeated

_JWKS: Final = re.compile(rb"/t/([a-z0-9-]{1,63})/(?:\.well-known/)?jwks\.json")
_OTHERWISE: Final = frozenset({b"if-none-match", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})
"""A request with one of these headers may want another answer, or has more to come."""
_THE_SAME: Final = frozenset({b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"pragma"})
"""What a library sends is the same each time, and no secret, if it has no other headers: only that is worth being remembered."""


class _Answered:
    """Stands for uvicorn's cycle of a request that was answered here: nothing is left to do for it, and nothing to be told."""

    response_complete = True
    message_event = asyncio.Event()  # which nobody waits for


class PublishedProtocol(HttpToolsProtocol):
    """Answers what relying parties mostly ask, with the same bytes as the application, in one write.

    The answer is a dictionary look-up, so what a framework does around it (a task, two messages, a dozen checks) would take all the time.
    And a library sends the same request each time, so one that has come before is not even parsed again.

    Whatever is out of the ordinary goes the usual way: conditional requests, other methods, queries, pipelined requests, clients that
    read too slowly, connections that are to be closed.
    """

    _between = True
    """Whether the parser expects the beginning of a request."""
    _begun = 0
    """Requests of what is being parsed."""
    _asks: Asked | None = None
    """What the last of them asked, if it was answered here."""

    def data_received(self, data: bytes) -> None:
        """Called with what has come, which may be a part of a request, or several."""
        if self._between and self._free() and (asks := _REPEATED.find(data)) is not None and (answer := self._jwks(asks)) is not None:
            self._unset_keepalive_if_required()
            self._give(answer)
            return
        whole, self._begun = self._between, 0
        super().data_received(data)
        alone = whole and self._between and self._begun == 1
        if alone and self._asks is not None and _THE_SAME.issuperset([name for name, _ in self.headers]):
            _REPEATED.keep(data, self._asks)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._between = False
        self._begun += 1
        self._asks = None
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Called by the parser, which after an upgrade is not asked any more."""
        self._between = not self.parser.should_upgrade()
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        asks = self._plain()
        answer = self._jwks(asks) if asks is not None else None
        self._asks = asks if answer is not None else None
        if answer is None:
            self._unset_keepalive_if_required()  # armed by an answer to the request before, if both came in one packet
            before = self.cycle
            super().on_headers_complete()
            if self.cycle is not before and self.parser.get_method() != b"HEAD":  # whose answers have no body to wait for
                self.cycle.transport = HeadWithBody(self.transport)
            return
        self._give(answer)

    def _give(self, answer: bytes) -> None:
        self.cycle = cast("RequestResponseCycle", _ANSWERED)
        self.transport.write(answer)
        self.on_response_complete()

    def _free(self) -> bool:
        """Whether an answer would be the next on the wire, and go out at once."""
        before: RequestResponseCycle | None = self.cycle
        return (
            (before is None or before.response_complete)
            and self.limit_concurrency is None
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _plain(self) -> Asked | None:
        """What the request asks, if it is an ordinary one for a JWKS."""
        if (
            (match := _JWKS.fullmatch(self.url)) is None
            or self.parser.get_method() != b"GET"
            or self.parser.get_http_version() != "1.1"
            or not self._free()
            or not _OTHERWISE.isdisjoint([name for name, _ in self.headers])
            or len(hosts := [value for name, value in self.headers if name == b"host"]) != 1
        ):
            return None
        return Asked(match[1].decode("ascii"), hosts[0])

    def _jwks(self, asks: Asked) -> bytes | None:
        application: Any = self.app
        if not isinstance(application, PublishedFirst):
            return None
        return application.jwks_response(asks.tenant, asks.host, self.server_state.default_headers)


_ANSWERED: Final = _Answered()
_REPEATED: Final = Repeated()
