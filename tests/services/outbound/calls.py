"""What the tests of outbound calls share: names that lead where a test says, and clients that may call this machine."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.outbound.allowed import Allowed
from services.outbound.client import Outbound

LOOPBACK = Allowed.parse("127.0.0.0/8")
PUBLIC = "93.184.216.34"


class Names:
    """A resolver: what each name leads to, and who was asked for."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._names = {name: list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002 -- as a resolver has it
        self.asked.append(host)
        answers = self._names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "nobody")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@asynccontextmanager
async def outbound(allowed: Allowed = LOOPBACK, **more: Any) -> AsyncIterator[Outbound]:
    client = Outbound(allowed, **more)
    try:
        yield client
    finally:
        await client.close()


async def push(client: Outbound, url: str) -> int:
    return (await client.push(url, b"hello", {"Content-Type": "text/plain"})).status
