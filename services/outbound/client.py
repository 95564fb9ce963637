"""The client of addresses that tenants name.

What it keeps, whatever the address is and whoever answers:

- a host is resolved once for each request, all its addresses must be ones that may be called, and the connection goes to one of those;
- TLS, checked by the host's name; without TLS only to what the operator allows;
- no proxy, no cookie, no password; no redirect is followed that was not checked the same way, and none at all for a push;
- an answer takes a bounded time in all, and a bounded size.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import Final

import httpcore
import httpx

from services.errors import AddressRefused, NoAnswerInTime, TlsFailed, Unreachable, UnusableAnswer
from services.outbound.addresses import Address, refusal
from services.outbound.allowed import Allowed
from services.outbound.network import PinnedNetwork, Resolve, SystemResolver
from services.outbound.target import Target

MAX_FETCHED: Final = 1 << 20
_MAX_PUSHED: Final = 16_384
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECONDS: Final = 10.0
_HEADERS: Final = {"User-Agent": "Tenantry", "Accept-Encoding": "identity"}  # what is small can't unfold


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: by lower-case name.
        body: of a push its first 16 KB, of a fetch all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Outbound:
    """Calls addresses that tenants name."""

    def __init__(
        self, allowed: Allowed, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None, seconds: float = _SECONDS
    ) -> None:
        """The client.

        Args:
            allowed: what may be called besides the public Internet.
            resolve: finds the addresses of a host; by default the operating system does.
            tls: whom to trust; by default the public authorities, or those of SSL_CERT_FILE.
            seconds: how long one call may take, with its redirects.
        """
        self._allowed = allowed
        self._system = SystemResolver()
        self._resolve = resolve or self._system
        self._given_tls = tls
        self._seconds = seconds

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or httpx.create_ssl_context()

    def check(self, url: str) -> None:
        """Says early of a URL with an address in it what would be said at each call. A name can lead elsewhere by then, so nobody is asked.

        Raises:
            AddressRefused: it may not be called.
        """
        target = Target.parse(url)
        try:
            address = ip_address(target.host)
        except ValueError:
            return
        self._refuse(target, address)

    async def push(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POSTs the body; redirects are answers like others.

        Raises:
            AddressRefused: it may not be called; nothing was sent, and of the host nobody but its name server was asked.
            Unreachable: it can't be, or the connection broke.
            TlsFailed: it does not prove to be who it is.
            NoAnswerInTime: it did not answer in time.
        """
        target = Target.parse(url)
        async with _within(self._seconds, target):
            return await self._ask("POST", target, headers, body, most=_MAX_PUSHED)

    async def fetch(self, url: str, *, accept: str = "*/*", most: int = MAX_FETCHED) -> Answer:
        """GETs what is there, over at most three redirects.

        Args:
            url: where.
            accept: the media type that is wanted.
            most: bytes that the answer may have.

        Raises:
            AddressRefused: it, or where it redirects to, may not be called.
            Unreachable: it can't be, or the connection broke.
            TlsFailed: it does not prove to be who it is.
            NoAnswerInTime: it did not answer in time.
            UnusableAnswer: it is too large, or redirects too often.
        """
        target = Target.parse(url)
        async with _within(self._seconds, target):
            for _ in range(_MAX_REDIRECTS + 1):
                answer = await self._ask("GET", target, {"Accept": accept}, None, most=most)
                if answer.status not in _REDIRECTS or "location" not in answer.headers:
                    return _whole(target, answer, most)
                target = target.joined(answer.headers["location"])
        raise UnusableAnswer(f"{target.host} redirects more than {_MAX_REDIRECTS} times; name the address that it leads to")

    async def close(self) -> None:
        """Lets go of the resolver's threads."""
        self._system.close()

    async def _ask(self, method: str, target: Target, headers: Mapping[str, str], content: bytes | None, *, most: int) -> Answer:
        addresses = await self._checked(target)
        url = httpcore.URL(scheme=target.url.raw_scheme, host=target.url.raw_host, port=target.port, target=target.url.raw_path)
        sent = [(name.encode(), value.encode()) for name, value in {**_HEADERS, **headers}.items()]
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=PinnedNetwork(addresses)) as pool,
            pool.stream(method, url, headers=[(b"Host", target.url.netloc), *sent], content=content) as response,
        ):
            body = bytearray()
            async with aclosing(response.aiter_stream()) as parts:  # type: ignore[type-var]  # an async generator, declared as an iterator
                async for part in parts:
                    body += part
                    if len(body) > most:
                        break
            got = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, got, bytes(body[: most + 1]))

    async def _checked(self, target: Target) -> Sequence[str]:
        """The host's addresses, if each may be called."""
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise Unreachable(f"there is no host {target.host!r}; look at its name and its DNS records")
        for text in found:
            self._refuse(target, ip_address(text))
        return found

    def _refuse(self, target: Target, address: Address) -> None:
        if self._allowed.has(target.host, address):
            return
        # Which address it is stays unsaid: a name of the operator's own network is not the tenant's to look up.
        if (what := refusal(address)) is not None:
            raise AddressRefused(
                f"{target.host} has an address that is {what}; name a public one, or let the operator add the host or its network to "
                "TENANTRY_OUTBOUND_ALLOW"
            )
        if not target.secure:
            raise AddressRefused(
                f"{target.host} would be called without TLS; use https, or let the operator add it to TENANTRY_OUTBOUND_ALLOW"
            )


@asynccontextmanager
async def _within(seconds: float, target: Target) -> AsyncIterator[None]:
    """Bounds the time of all that is inside, and makes errors of the connection ours."""
    host = target.host
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, httpcore.TimeoutException) as error:
        raise NoAnswerInTime(f"{host} has not answered within {seconds:g} s; make it answer first and work later") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:  # ssl.SSLError is an OSError
        if isinstance(error, ssl.SSLError) or any(isinstance(cause, ssl.SSLError) for cause in error.args):
            raise TlsFailed(f"TLS with {host} failed; its certificate must be for that name, and from a public authority") from error
        raise Unreachable(f"no connection with {host}, or it broke; look whether it listens there and speaks HTTP") from error


def _whole(target: Target, answer: Answer, most: int) -> Answer:
    if len(answer.body) > most:
        raise UnusableAnswer(f"{target.host} answers with more than {most} bytes; name something smaller")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnusableAnswer(f"{target.host} compresses its answer although nobody asked for that; have it obey Accept-Encoding")
    return answer
