"""A Keycloak's listener, played: it sends events to Kafka one by one and without keys, and remembers every one."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from tests.platforms import REALM_IDS, recorded

MADE: Final = {f"made-{number}": f"{number}0000000-2222-3333-4444-555555555555" for number in range(3)}
"""Tenants beside the six of the recording, and their realms."""
REALMS: Final[Mapping[str, str]] = REALM_IDS | MADE
_TENANTS: Final = {realm: tenant for tenant, realm in REALMS.items()}
_FLUSHED: Final = 200
_EVERY_POISON: Final = 250
"""Every so many events there is one that no tenant can get."""


@dataclass
class Sent:
    """Everything that was sent, and so what must be found.

    Attributes:
        events: the ids of each tenant's events.
        poison: what must be dead letters, by their bytes.
    """

    events: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    poison: Counter[bytes] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many events of tenants."""
        return sum(map(len, self.events.values()))


class Sender:
    """Sends, and waits as long as Kafka is away: a listener that gives up loses events before they are ours."""

    def __init__(self, producer: Any, topic: str, dice: random.Random) -> None:
        self.sent = Sent()
        self._producer = producer
        self._topic = topic
        self._dice = dice
        self._events = _events(dice)

    async def post(self, value: bytes) -> asyncio.Future[Any]:
        """Hands a record to the client; the answer is done when Kafka has it."""
        posted: asyncio.Future[Any] = await self._producer.send(self._topic, value)
        return posted

    async def send(self, count: int, *, seconds: float = 0.0) -> None:
        """Sends so many events, spread over about so many seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        flight: list[asyncio.Future[Any]] = []
        for number in range(count):
            event = next(self._events)
            flight.append(await self.post(json.dumps(event, ensure_ascii=False).encode()))
            self.sent.events[_TENANTS[event["realmId"]]].append(event["id"])
            if number % _EVERY_POISON == _EVERY_POISON - 1:
                poison = _poison(self._dice)
                flight.append(await self.post(poison))
                self.sent.poison[poison] += 1
            if len(flight) >= _FLUSHED:
                await asyncio.gather(*flight)
                flight = []
                await asyncio.sleep(max(0.0, begun + seconds * number / count - loop.time()))  # the pace
        await asyncio.gather(*flight)

    async def one(self, tenant: str, **more: Any) -> str:
        """Sends one event of a tenant, and answers its id."""
        event = _made(tenant) | more
        await (await self.post(json.dumps(event).encode()))
        self.sent.events[tenant].append(event["id"])
        return str(event["id"])


@asynccontextmanager
async def sender(bootstrap: str, prefix: str, dice: random.Random) -> AsyncIterator[Sender]:
    """A sender to the topic of raw events, with the guarantees that a careful listener asks Kafka for."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        request_timeout_ms=150_000,  # after which it would drop a batch
    )
    with _silent("aiokafka"):
        await producer.start()
        try:
            yield Sender(producer, f"{prefix}.idp-events", dice)
        finally:
            await producer.stop()


@contextmanager
def _silent(library: str) -> Iterator[None]:
    """Within it, the library logs nothing.

    It would log each attempt, hundreds a second while Kafka is away. pytest keeps them all, and looking through so many objects for
    garbage takes Python seconds, in which it measures nothing but that.
    """
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _events(dice: random.Random) -> Iterator[dict[str, Any]]:
    """Recorded events, each once, in the order of the recording, and among them made ones without end."""
    names = {realm: name for name, realm in REALM_IDS.items()}
    known = sorted(recorded(), key=lambda event: event["time"])
    tenants = list(REALMS)
    for event in known:
        while dice.random() < 0.5:
            yield _made(dice.choice(tenants))
        yield {**event, "realmName": names[event["realmId"]]} if dice.random() < 0.5 else event
    while True:
        yield _made(dice.choice(tenants))


def _made(tenant: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "time": 1_795_000_000_000,
        "type": "LOGIN",
        "realmId": REALMS[tenant],
        "realmName": tenant,
        "clientId": "web-app",
        "userId": str(uuid.uuid4()),
        "sessionId": None,
        "ipAddress": "203.0.113.7",
        "error": None,
        "details": {"auth_method": "openid-connect", "username": f"user@{tenant}.example"},
    }


def _poison(dice: random.Random) -> bytes:
    name = str(uuid.uuid4())
    return dice.choice(
        (
            b'{"id": "%b", "type": "LOGIN", "realmId": ' % name.encode(),  # cut off
            json.dumps({"id": name, "time": 1, "type": "LOGIN", "realmId": name}).encode(),  # nobody's realm
            json.dumps({"id": name, "time": 1, "type": "LOGIN", "realmId": name, "realmName": "globex"}).encode(),  # a false one
            b"\xff\xfe" + name.encode(),
        )
    )
