"""Answers of any length: made as they are taken, ended when nobody takes them, and tidy however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog
from fastapi.responses import StreamingResponse

from services.api.published import AsgiScope, Message, Receive, Send
from services.errors import Refused
from streams.errors import StreamsError

STALLED_SECONDS: Final = 60.0
"""How long a client may take nothing at all. Then it is cut off: what it holds up may be wanted by others. Its connection stays until the
system ends it, since closing waits for the client to take what was sent: see `services.server`."""
PART_BYTES: Final = 64_000
"""Of one part of an answer, about: what a client must take within `STALLED_SECONDS`."""

_log = structlog.get_logger(__name__)


class Stalled(Exception):
    """The client has taken nothing for too long."""


class Streamed(StreamingResponse):
    """An answer whose parts are made one by one, each when the client has taken those before it.

    When it has ended, in whatever way, or when the client has gone, the parts' source is closed, and what is held is let go.
    """

    def __init__(
        self, parts: AsyncGenerator[bytes, None], held: AsyncExitStack, *, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """`held` is what the answer needs while it is under way, as a slot."""
        super().__init__(parts, media_type=media_type, headers={"Cache-Control": "no-store", **(headers or {})})
        held.push_async_callback(parts.aclose)
        self._held = held

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""

        async def patiently(message: Message) -> None:
            # Only the taking has a limit. The making of a part takes as long as it takes.
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await send(message)
            except TimeoutError:
                raise Stalled from None

        async with self._held:
            try:
                await super().__call__(scope, receive, patiently)
            except Stalled:
                # Ended without the last part, so the server closes the connection, and the client knows that something is missing.
                _log.info("stalled_client_cut_off", path=scope["path"], seconds=STALLED_SECONDS)
            except (Refused, StreamsError) as error:
                _log.warning("answer_broken_off", path=scope["path"], error=str(error))
