"""A live tail of an index that fails now and then, by fifty connections that break: every event comes once, in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence

import httpx
import pytest

from streams.errors import IndexUnavailable
from streams.query.tree import Query
from streams.scope import TenantScope
from streams.search_index import Entry, Hit, Written
from tests.platforms import Site
from tests.processes import OWN, PATIENCE
from tests.services.live_tails.tails import exported, send

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Faults:
    """An index that fails at first and now and then, in all that a tail depends on; what it does, it does for real."""

    def __init__(self, here: Site, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self._chance = random.Random(seed)
        self.met: set[str] = set()
        index = here.platform.index
        tail, refresh, write = index.tail, index.refresh, index.write

        async def failing_tail(scope: TenantScope, query: Query, *, after: int, upto: int, limit: int = 100) -> Sequence[Hit]:
            self._fail("tail", 0.2)
            return await tail(scope, query, after=after, upto=upto, limit=limit)

        async def failing_refresh(scope: TenantScope) -> None:
            self._fail("refresh", 0.1)
            await refresh(scope)

        async def failing_write(entries: Mapping[TenantScope, Sequence[Entry]]) -> Mapping[TenantScope, Written]:
            if (
                "deferred" not in self.met or self._chance.random() < 0.1
            ):  # only a part of what it is given: the rest must be found in its place
                self.met.add("deferred")
                half = {scope: part[::2] for scope, part in entries.items()}
                done = await write(half)
                return {
                    scope: Written(done[scope].indexed, done[scope].duplicates, deferred=tuple(part), trouble="a test")
                    for scope, part in entries.items()
                }
            self._fail("write", 0.1)
            return await write(entries)

        for method in (failing_tail, failing_refresh, failing_write):
            monkeypatch.setattr(index, method.__name__.removeprefix("failing_"), method)

    def _fail(self, what: str, share: float) -> None:
        if what not in self.met or self._chance.random() < share:
            self.met.add(what)
            raise IndexUnavailable(f"a test lets {what} fail")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
async def test_fifty_connections_get_every_event_once_in_order(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    connections, batch = 50, 40
    chance = random.Random(seed)
    faults = Faults(acme, monkeypatch, seed)
    seen: list[str] = []
    sent = 0
    more = asyncio.Event()

    async def ingest() -> None:
        nonlocal sent
        for number in range(connections):
            # Each connection meets events on their way: the next ones are sent when it has begun, and nobody waits for them.
            await more.wait()
            more.clear()
            sent += batch
            await send(acme, *(f"{number}-{one}" for one in range(batch)))

    async def read(last: str | None, most: int) -> str | None:
        """Reads so many bytes of a connection, and breaks it there: within a frame, as it happens. Only whole frames count."""
        text, taken = b"", 0
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last is not None else {})}
        async with client.stream("GET", "/v1/tenants/acme/events/tail", params={"q": OWN}, headers=headers) as answer:
            if answer.status_code != 200:
                return last
            more.set()
            async for part in answer.aiter_raw():
                text += part[: most - taken]
                taken += len(part)
                *frames, text = text.split(b"\n\n")
                for frame in frames:
                    fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
                    if fields.get(b"event") == b"problem":
                        return last
                    if b"data" in fields:
                        seen.append(json.loads(fields[b"data"])["event.id"])
                    last = fields[b"id"].decode()
                if taken >= most:
                    return last
                if len(seen) == connections * batch:
                    return last
                if len(seen) == sent:
                    more.set()  # else it would wait for more, and the sender for the next connection
        raise AssertionError("the service ended the stream")

    sending = asyncio.create_task(ingest())
    last: str | None = None
    count = 0
    async with asyncio.timeout(3 * PATIENCE):
        while len(seen) < connections * batch:
            more.set()
            last = await read(last, chance.randrange(200, 30_000))
            count += 1
        await sending
    assert count >= connections
    assert len(faults.met) >= 3, "the index has failed"
    monkeypatch.undo()
    await acme.settled()
    assert seen == await exported(acme), "once each, in the order of the log"
    assert sorted(seen) == sorted(f"{number}-{one}" for number in range(connections) for one in range(batch))
