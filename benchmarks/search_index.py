"""The embedded search index: events written a second, and how long searches take.

    python -m benchmarks.search_index --events 1000000

Events are made up in the shape of Keycloak's sign-ins, about 700 bytes each, 40 clients and 5,000 users, in batches as segments bring them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from streams.event import iso
from streams.index_tantivy.index import TantivyIndex
from streams.position import position
from streams.query.parser import parse
from streams.scope import TenantScope
from streams.search_index import Entry, Place

START = 1_795_428_000_000
SCOPE = TenantScope("acme")
QUERIES = (
    "*",
    "user.name:user17@example.com",
    "event.outcome:failure client.id:client-7",
    "user4*",
    "idp.details.username:user9*",
    "source.ip:10.3.0.0/16",
    '"invalid user credentials" -client.id:client-1',
)


def batches(events: int, size: int) -> Iterator[list[Entry]]:
    """The events, 37 ms apart."""
    dice = random.Random(1)
    encode = msgspec.json.Encoder().encode
    users = [(str(uuid.UUID(int=dice.getrandbits(128))), f"user{number}@example.com") for number in range(5000)]
    for begin in range(0, events, size):
        batch = []
        for number in range(begin, min(begin + size, events)):
            user_id, name = dice.choice(users)
            client, ip, at = (
                f"client-{dice.randrange(40)}",
                f"10.{dice.randrange(8)}.{dice.randrange(250)}.{dice.randrange(250)}",
                START + number * 37,
            )
            failed = dice.random() < 0.2
            identity, session = str(uuid.UUID(int=dice.getrandbits(128))), str(uuid.UUID(int=dice.getrandbits(128)))
            source = {
                "id": identity,
                "time": at,
                "type": "LOGIN_ERROR" if failed else "LOGIN",
                "realmId": "5e4d7bb5-3b0c-4e0b-8f39-1b1b7a0c6f11",
                "userId": user_id,
                "clientId": client,
                "details": {"auth_method": "openid-connect", "username": name},
            }
            document: dict[str, Any] = {
                "@timestamp": iso(at),
                "event.id": identity,
                "event.action": "login_error" if failed else "login",
                "event.category": "authentication",
                "event.outcome": "failure" if failed else "success",
                "event.provider": "keycloak",
                "event.dataset": "keycloak.user",
                "event.ingested": iso(at + 500),
                "tenant.id": "acme",
                "user.id": user_id,
                "user.name": name,
                "client.id": client,
                "session.id": session,
                "source.ip": ip,
                "idp": source,
            }
            if failed:
                document["event.reason"] = source["error"] = "invalid_user_credentials"
            batch.append(Entry(position(number // 500, number % 500), identity, at, encode(document)))
        yield batch


async def timed(name: str, ask: Callable[[], Awaitable[object]], times: int = 60) -> None:
    """Prints how long the question takes."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - begun) * 1000)
    print(f"{name:40} median {statistics.median(took):7.1f} ms   p95 {sorted(took)[int(len(took) * 0.95)]:7.1f} ms")


async def run(events: int, size: int, root: Path) -> None:
    """Writes, then asks."""
    index = TantivyIndex(root)
    await index.prepare(SCOPE)
    wall, octets = 0.0, 0
    cpu = time.process_time()
    for batch in batches(events, size):
        octets += sum(len(entry.document) for entry in batch)
        begun = time.perf_counter()
        await index.write({SCOPE: batch})
        wall += time.perf_counter() - begun
    print(f"{events} events of {octets // events} bytes in batches of {size}: {events / wall:.0f} a second")
    print(f"{(time.process_time() - cpu) / events * 1e6:.0f} µs of CPU an event, making them up included")
    last = START + events * 37
    for text in (*QUERIES, f'@timestamp:[* TO "{iso(last - 3_600_000)}"]'):
        query = parse(text, now=last)
        await timed(f"newest 100   {text[:40]}", lambda query=query: index.search(SCOPE, query))  # type: ignore[misc]
        await timed(f"count        {text[:40]}", lambda query=query: index.count(SCOPE, query))  # type: ignore[misc]
    everything, half = parse("*", now=0), Place(START + events * 37 // 2, 0)
    await timed("page in the middle", lambda: index.search(SCOPE, everything, after=half))
    await timed("tail", lambda: index.tail(SCOPE, everything, after=position(events // 500 - 1, 0), upto=1 << 60))
    await timed("histogram of all", lambda: index.histogram(SCOPE, everything, interval=events * 37 // 100))
    for field in ("event.action", "user.name", "source.ip", "session.id"):
        await timed(f"top values of {field}", lambda field=field: index.top_values(SCOPE, everything, field), 20)  # type: ignore[misc]
    await timed("get", lambda: index.get(SCOPE, "nothing"))
    await index.close()


def main() -> None:
    """Reads the arguments, and runs."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000)
    arguments.add_argument("--batch", type=int, default=2000)
    given = arguments.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        asyncio.run(run(given.events, given.batch, root))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
