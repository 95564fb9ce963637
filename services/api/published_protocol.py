"""uvicorn's protocol, which answers a plain `GET` of a JWKS in the very call that has read it."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.api.head_with_body import HeadWithBody
from services.api.published import PublishedFirst

_JWKS: Final = re.compile(rb"/t/([a-z0-9-]{1,63})/(?:\.well-known/)?jwks\.json")
_OTHERWISE: Final = frozenset({b"if-none-match", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})
"""A request with one of these headers may want another answer, or has more to come."""


class _Answered:
    """Stands for uvicorn's cycle of a request that was answered here: nothing is left to do for it, and nothing to be told."""

    response_complete = True
    message_event = asyncio.Event()  # which nobody waits for


class PublishedProtocol(HttpToolsProtocol):
    """Answers what relying parties mostly ask, with the same bytes as the application, in one write.

    The answer is a dictionary look-up, so what a framework does around it (a task, two messages, a dozen checks) would take all the time.

    Whatever is out of the ordinary goes the usual way: conditional requests, other methods, queries, pipelined requests, clients that
    read too slowly, connections that are to be closed.
    """

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if (answer := self._answer()) is None:
            self._unset_keepalive_if_required()  # armed by an answer to the request before, if both came in one packet
            before = self.cycle
            super().on_headers_complete()
            if self.cycle is not before and self.parser.get_method() != b"HEAD":  # whose answers have no body to wait for
                self.cycle.transport = HeadWithBody(self.transport)
            return
        self.cycle = cast("RequestResponseCycle", _ANSWERED)
        self.transport.write(answer)
        self.on_response_complete()

    def _answer(self) -> bytes | None:
        application: Any = self.app
        before: RequestResponseCycle | None = self.cycle
        if (
            (match := _JWKS.fullmatch(self.url)) is None
            or self.parser.get_method() != b"GET"
            or self.parser.get_http_version() != "1.1"
            or not isinstance(application, PublishedFirst)
            or (before is not None and not before.response_complete)
            or self.limit_concurrency is not None
            or self.flow.write_paused
            or self.transport.is_closing()
            or not _OTHERWISE.isdisjoint([name for name, _ in self.headers])
            or len(hosts := [value for name, value in self.headers if name == b"host"]) != 1
        ):
            return None
        return application.jwks_response(match[1].decode("ascii"), hosts[0], self.server_state.default_headers)


_ANSWERED: Final = _Answered()
