"""The network of a call: names are resolved once, and the connection goes to the addresses that were checked, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpcore

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text, for connections to a port; raises OSError or UnicodeError if there are none."""

_THREADS: Final = 32
_CONNECT_SECONDS: Final = 3.0
"""For one address, so that a dead one leaves time for the others."""


class SystemResolver:
    """Asks the operating system, in threads of its own: a tenant's name server that hangs must not take those of the key store."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The host's addresses, best first (RFC 6724)."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Waits for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that it was made with, whatever host is asked for. TLS still goes by the host's name."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """The network of these addresses, of which there is at least one."""
        self._addresses = addresses
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 -- a name could have other addresses by now (DNS rebinding)
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Tries one address after the other."""
        seconds = _CONNECT_SECONDS if timeout is None else min(timeout, _CONNECT_SECONDS)
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, seconds, local_address, socket_options)
