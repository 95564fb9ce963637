"""Answers as the bytes that came, and no more of them than was asked for: nobody knows before how large the events of a page are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from opensearchpy import AIOHttpConnection

TOO_LONG: Final = b'"the answer is too long"'
"""Stands for an answer that was longer than asked for. As an error it would look like a host that is away."""

_most: ContextVar[int | None] = ContextVar("most", default=None)


@contextmanager
def at_most(size: int | None) -> Iterator[None]:
    """Of answers that come meanwhile, `TOO_LONG` is returned if they are longer than `size` bytes; None: they may be."""
    token = _most.set(size)
    try:
        yield
    finally:
        _most.reset(token)


class Connection(AIOHttpConnection):
    """A connection of the client's own kind, with such answers."""

    async def _create_aiohttp_session(self) -> Any:
        """Takes over what the client has made, its pool of connections with it, but for the kind of the answers."""
        await super()._create_aiohttp_session()
        made, connector = self.session, self.session.connector
        made.detach()
        self.session = aiohttp.ClientSession(
            connector=connector,
            headers=made.headers,
            skip_auto_headers=made.skip_auto_headers,
            cookie_jar=made.cookie_jar,
            auto_decompress=made.auto_decompress,
            trust_env=made.trust_env,
            response_class=_Answer,
        )


class _Answer(aiohttp.ClientResponse):
    """What the client takes for a text is never decoded: who knows what is in it decodes it once."""

    async def text(self, encoding: str | None = None, errors: str = "strict") -> Any:  # noqa: ARG002
        most, size = _most.get(), 0
        parts: list[bytes] = []
        async for part in self.content.iter_any():
            parts.append(part)
            size += len(part)
            if most is not None and size > most and self.ok:
                self.close()  # the rest is not read
                return TOO_LONG
        return b"".join(parts)
