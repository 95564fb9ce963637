"""Asks OpenSearch: bytes out, bytes in, and every way to fail as one of the port's errors."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from opensearchpy import AsyncOpenSearch
from opensearchpy import exceptions as raised
from opensearchpy.serializer import Serializer

from streams.errors import IndexUnavailable
from streams.index_opensearch.answers import TOO_LONG, Connection, at_most
from streams.index_opensearch.connection import OpenSearchConnection

T = TypeVar("T")
_JSON: Final = {"content-type": "application/json"}
_PART: Final = 1 << 18
"""Bytes of a long body that are sent at a time: others on the event loop get a turn in between."""

# It would tell of each failed request, with addresses that name events; what matters of it is in the errors raised here.
logging.getLogger("opensearch").setLevel(logging.ERROR)


class Refused(Exception):
    """OpenSearch has answered with an error.

    Attributes:
        status: the HTTP status.
        kind: the error's type, as `index_not_found_exception`; empty if it was not told.
        reason: what it says, which may quote what was sent.
        answer: all of it.
    """

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        error = answer.get("error")
        self.status = status
        self.answer = answer
        self.kind = str(error.get("type", "")) if isinstance(error, dict) else ""
        self.reason = str(error.get("reason", "")) if isinstance(error, dict) else str(error or "")
        super().__init__(f"{status} {self.kind}".rstrip())


class TooLong(Exception):
    """The answer is longer than it was asked to be."""


class Body:
    """A long request body in parts, which can be sent more than once. It is never there as a whole, which would take its memory twice."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.size = sum(map(len, parts))
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        start = size = 0
        for end, part in enumerate(self._parts, 1):
            size += len(part)
            if size >= _PART:
                yield b"".join(self._parts[start:end])
                start, size = end, 0
        if size:
            yield b"".join(self._parts[start:])


class Client:
    """The connections to one OpenSearch. Made anew for each event loop."""

    def __init__(self, connection: OpenSearchConnection, *, seconds: float = 30.0, connections: int = 16) -> None:
        self._where = ", ".join(f"{host}:{port}" for host, port in connection.hosts)
        self._attempts = len(connection.hosts)
        context = _trust(connection.cafile) if connection.tls else None
        self._engine = AsyncOpenSearch(
            hosts=[{"host": host, "port": port} for host, port in connection.hosts],
            http_auth=(connection.user, connection.password) if connection.user else None,
            connection_class=Connection,
            use_ssl=connection.tls,
            ssl_context=context,
            serializer=_AsItIs(),
            serializers={"application/json": _AsItIs(), "text/plain": _AsItIs()},
            max_retries=0,  # tried again here, on another host
            retry_on_status=(),
            maxsize=connections,
            timeout=seconds,
        )
        self._seconds = seconds

    async def ask(self, method: str, path: str, body: Any = None, *, seconds: float | None = None, most: int | None = None) -> bytes:
        """The answer to a request whose body is JSON, given encoded or not.

        Raises:
            Refused: it was not a success.
            TooLong: it has more bytes than `most`; no more of it was read.
            IndexUnavailable: there is no answer.
        """
        if body is not None and not isinstance(body, bytes):
            body = msgspec.json.encode(body)
        with at_most(most):
            answer = await self._ask(method, path, body, _JSON, seconds)
        if answer is TOO_LONG:
            raise TooLong
        return answer

    async def send(self, path: str, body: Body, *, seconds: float | None = None) -> bytes:
        """As `ask`, with lines of JSON."""
        headers = {"content-type": "application/x-ndjson", "content-length": str(body.size)}
        return await self._ask("POST", path, body, headers, seconds)

    async def close(self) -> None:
        """Closes the connections, also those to hosts that are away, which the client forgets."""
        await self._engine.close()
        forgotten: list[Any] = self._engine.transport.seed_connections
        for connection in forgotten:
            await connection.close()

    async def _ask(self, method: str, path: str, body: Any, headers: dict[str, str], seconds: float | None) -> bytes:
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self._engine.transport.perform_request(
                    method, path, body=body, headers=headers, timeout=seconds or self._seconds
                )
            except raised.ConnectionTimeout:
                raise IndexUnavailable(f"OpenSearch at {self._where} did not answer in time") from None
            except raised.ConnectionError as error:  # a host that is away: the next attempt is another's
                if attempt >= self._attempts:
                    raise self._away(error) from None
            except raised.TransportError as error:
                _refuse(error)
            except (OSError, ValueError, RuntimeError, asyncio.IncompleteReadError) as error:
                raise self._away(error) from None
            else:
                return answer if isinstance(answer, bytes) else str(answer or "").encode()

    def _away(self, error: Exception) -> IndexUnavailable:
        why = error.error if isinstance(error, raised.ConnectionError) else error
        return IndexUnavailable(f"OpenSearch at {self._where} can't be reached: {str(why)[:300]}; {_advice(str(why))}")


class _AsItIs(Serializer):
    """Bodies and answers are encoded and decoded by those who know what is in them."""

    mimetype = "application/json"

    def loads(self, s: str) -> Any:
        return s

    def dumps(self, data: Any) -> Any:
        return data


def _trust(cafile: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:
        raise ValueError(f"the authority's certificate {cafile} can't be read: {error.strerror or error}; see `cafile=`") from None


def _refuse(error: raised.TransportError) -> NoReturn:
    answer: Any = error.info
    if isinstance(answer, str):
        try:
            answer = msgspec.json.decode(answer)
        except msgspec.DecodeError:
            answer = {"error": answer}
    raise Refused(int(error.status_code) if str(error.status_code).isdigit() else 0, answer if isinstance(answer, dict) else {}) from None


def _advice(why: str) -> str:
    """What to do about a connection that can't be made."""
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return "name who has signed its certificate, as cafile=/path/ca.pem in TENANTRY_INDEX_URL"
    if "WRONG_VERSION_NUMBER" in why:
        return "if it speaks no TLS, write tls=false in TENANTRY_INDEX_URL"
    if "disconnected" in why:
        return "see that it runs; if it speaks TLS, write tls=true in TENANTRY_INDEX_URL"
    return "see that it runs, and TENANTRY_INDEX_URL"
