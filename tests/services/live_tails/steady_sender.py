"""Sends events at a steady rate, from a process of its own: `python -m tests.services.live_tails.steady_sender URL`.

Each slice of time it sends what is due by the clock, so what a slow answer has held up goes out with the next one. The operator's token is
in the environment: lists of processes don't show it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

import httpx

from tests.processes import NDJSON, PATIENCE, spawned
from tests.services.live_tails.tails import okta

RATE: Final = 2000
"""Acme's events per second."""
SECONDS: Final = 20
EVENTS: Final = RATE * SECONDS
SHARE: Final = 10
"""For so many events of Acme's, Globex has one."""
_SLICE_SECONDS: Final = 0.05
_TOKEN: Final = "SENDER_TOKEN"


def acmes(start: int = 0, end: int = EVENTS) -> Sequence[str]:
    """The ids of Acme's events with these numbers, in the order in which they are sent: all of them, by default."""
    return [f"acme-{number}" for number in range(start, end)]


def globexes(start: int = 0, end: int = EVENTS) -> Sequence[str]:
    """The ids of Globex's events that are sent together with those of Acme's."""
    return [f"globex-{number}" for number in range(start, end) if number % SHARE == 0]


async def sending(client: httpx.AsyncClient) -> float:
    """Has all events sent by another process: how many seconds after it was due the latest of Acme's was taken."""
    command = [sys.executable, "-m", "tests.services.live_tails.steady_sender", str(client.base_url)]
    env = {**os.environ, _TOKEN: client.headers["Authorization"]}
    async with spawned(command, env) as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return float(out)


def main() -> None:
    """Sends them, and prints how late the latest of Acme's was."""
    latest, sent = 0.0, 0
    with httpx.Client(base_url=sys.argv[1], headers={"Authorization": os.environ[_TOKEN], **NDJSON}, timeout=PATIENCE) as client:
        began = time.monotonic()
        while sent < EVENTS:
            time.sleep(_SLICE_SECONDS)
            due = min(EVENTS, int((time.monotonic() - began) * RATE))
            _post(client, "acme", acmes(sent, due))
            latest = max(latest, time.monotonic() - began - sent / RATE)
            _post(client, "globex", globexes(sent, due))
            sent = due
    print(latest)


def _post(client: httpx.Client, tenant: str, identifiers: Sequence[str]) -> None:
    if identifiers:
        body = b"\n".join(json.dumps(okta(identifier)).encode() for identifier in identifiers)
        answer = client.post(f"/v1/tenants/{tenant}/events", params={"source": "okta"}, content=body)
        assert answer.status_code == 202, answer.text


if __name__ == "__main__":
    main()
