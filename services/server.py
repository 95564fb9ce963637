"""The HTTP server: listens, says where to look, and stops without losing anything."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn

from services.answering import warn
from services.api.app import application
from services.api.published_protocol import PublishedProtocol
from services.bootstrap import start
from services.engines import shared
from services.errors import SettingsError
from services.platform import Platform
from services.sample.load import load_sample
from services.settings import Settings
from services.termination import pause, unless_terminated
from streams.errors import LogRefused, LogUnavailable

_log = structlog.get_logger(__name__)
_AGAIN_SECONDS: Final = 2.0
_SHOWN: Final = 6  # tenants in the greeting
_UNTAKEN_MS: Final = 90_000
"""How long a client may take nothing of what was sent to it. Then the system ends the connection: closing it would wait for the client."""


def run(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM.

    Raises:
        SettingsError: a setting can't work.
        AlreadyRunning: another process serves the same data directory.
        LogRefused: the log is not as it must be.
    """
    # uvloop has no typed runner of its own that keeps asyncio's semantics of signals.
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Starts the platform, serves it, and stops it in order. Where the log is a Kafka that is away, it waits.

    Raises:
        LogRefused: the log is not as it must be.
    """
    listening = _listen(settings)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    async with AsyncExitStack() as stack:
        started = await unless_terminated(_started(settings, stack))
        if started is None:
            return
        platform, server = started
        looking = asyncio.create_task(warn(platform.index, platform.store))
        try:
            await server.serve(sockets=[listening])
        finally:
            looking.cancel()
            await asyncio.wait({looking})  # the index and the key store are closed next


async def _started(settings: Settings, stack: AsyncExitStack) -> tuple[Platform, _Server]:
    """The platform, with the sample if that is wanted, and what serves it, which only has to listen.

    As soon as Kafka is there: who starts everything at once, as after a power cut, need not know in which order.
    """
    while True:
        try:
            platform = await stack.enter_async_context(start(settings))
            break
        except LogUnavailable as error:
            if isinstance(error, LogRefused) or not shared(settings):
                raise
            _log.warning("log_unavailable", error=str(error))
        await pause(_AGAIN_SECONDS)
    if settings.sample:
        await load_sample(platform)
    server = _Server(configuration(platform), platform.live_tails.close)
    _greet(settings, platform)
    return platform, server


def configuration(platform: Platform) -> uvicorn.Config:
    """How the platform is served over HTTP."""
    return uvicorn.Config(
        application(platform),
        http=PublishedProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=10,
        proxy_headers=False,  # nothing is believed that a request says about itself
    )


class _Server(uvicorn.Server):
    """Ends at SIGINT and SIGTERM, and no more: uvicorn's own raises the signal again, which would end the process before the platform."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        """`ending` is called when it is to end, so that answers without an end of their own end: it waits for all that are under way."""
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn."""
        self._ending()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listens to the signals while it serves; a second one, after that, ends the process at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 -- only the server needs it

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "linux":  # where connections take it from the socket that listens
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MS)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        where = f"TENANTRY_HOST and TENANTRY_PORT: {settings.host} port {settings.port}"
        raise SettingsError(f"{where} can't be listened on ({error.strerror}); stop what uses it, or take another port") from error
    listening.listen(1024)
    return listening


def _greet(settings: Settings, platform: Platform) -> None:
    tenants = platform.tenants.all()
    lines = [
        f"Tenantry listens on {settings.service_url}",
        f"  console    {settings.service_url}/console",
        f"  API        {settings.service_url}/docs",
        f"  operator   token in {settings.operator_token_file}" if settings.operator_token_file.exists() else "",
        *(f"  {tenant.id:10} {settings.service_url}/t/{tenant.id}/jwks.json" for tenant in tenants[:_SHOWN]),
        f"  and {len(tenants) - _SHOWN} more: tenantry tenants list" if len(tenants) > _SHOWN else "",
        "Ctrl-C stops it.",
    ]
    sys.stderr.write("\n".join(line for line in lines if line) + "\n")
    sys.stderr.flush()
