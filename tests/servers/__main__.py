"""`python -m tests.servers fetch` gets the servers; `… up` keeps them up until it is interrupted."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from tests.servers import cache, chromium, kafka, kept, openbao, opensearch, prometheus
from tests.servers.kafka import Kafka
from tests.servers.openbao import OpenBao
from tests.servers.opensearch import OpenSearch

_console = Console(stderr=True, highlight=False)


def fetch() -> int:
    """Fetches what is missing; the exit code is 1 in CI if something can't be had."""
    failed = False
    servers = {
        "Kafka": kafka.fetch,
        "OpenSearch": opensearch.fetch,
        "OpenBao": openbao.fetch,
        "Prometheus": prometheus.fetch,
        "Chromium": chromium.fetch,
    }
    for name, get in servers.items():
        with _console.status(f"{name} for the tests (the first time takes minutes) …"):
            try:
                get()
            except cache.Missing as error:
                failed = True
                _console.print(f"[bold red]NO {name.upper()}: its tests will be skipped: {error}[/]", soft_wrap=True)
            else:
                _console.print(f"{name} is here.")
    return int(failed and os.environ.get("CI") == "true")


def up() -> int:
    """Starts the servers, says how to use them, and ends them with this process."""
    with ExitStack() as stack:
        servers = {"kafka": Kafka(), "opensearch": OpenSearch(), "openbao": OpenBao()}
        for name, server in servers.items():
            with _console.status(f"starting {name} …"):
                stack.enter_context(server)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantry-up-")))
        settings = kept.environment(servers, directory)
        kept.keep(servers)
        stack.callback(kept.forget)
        _console.print(f"Kafka, OpenSearch and OpenBao run. In each terminal in which you use them:\n\n    . {settings}\n")
        _console.print("Test runs use them, too. Ctrl-C ends them, and removes what they hold.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM}) if sys.argv[1:] == ["up"] else None
    commands = {"fetch": fetch, "up": up}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"python -m tests.servers {'|'.join(commands)}")
    sys.exit(commands[sys.argv[1]]())
