"""Clients that read Acme's log on, each in its way, and lose what networks lose: connections within a frame, and answers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from tests.processes import OWN

Done = Callable[[Sequence[str]], bool]
"""Whether the events with these ids are all that a client wants."""
TAIL: Final = "/v1/tenants/acme/events/tail"
_POLL_SECONDS: Final = 0.05


class BreakingTail:
    """A live tail whose connections break, wherever that happens to be. Only whole frames count.

    Attributes:
        seen: the ids of the events, as they came.
        last: the last `id` that came; with it, it connects again.
        connections: how often it has connected.
        broken: how many connections broke.
        within: how many of them broke within a frame.
    """

    def __init__(self, client: httpx.AsyncClient, done: Done) -> None:
        """It reads until these are all that it wants."""
        self._client = client
        self._done = done
        self.seen: list[str] = []
        self.last: str | None = None
        self.connections = self.broken = self.within = 0

    @property
    def done(self) -> bool:
        """Whether all have come."""
        return self._done(self.seen)

    async def connect(self, most: int, look: Callable[[], None] = lambda: None) -> None:
        """Reads on by one more connection: up to so many bytes, where it breaks, or to the last event.

        `look` is called when the connection has begun, and with each part that came of it.
        """
        self.connections += 1
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self.last} if self.last is not None else {})}
        text, taken = b"", 0
        async with self._client.stream("GET", TAIL, params={"q": OWN}, headers=headers) as answer:
            if answer.status_code == 429:  # the service has not noticed yet that the others have broken
                return
            assert answer.status_code == 200
            look()
            async for part in answer.aiter_raw():
                text += part[: most - taken]
                taken += len(part)
                *frames, text = text.split(b"\n\n")
                for frame in frames:
                    self._take(frame)
                if self.done:
                    return
                if taken >= most:
                    self.broken += 1
                    self.within += bool(text)
                    return
                look()
        raise AssertionError("the service ended the stream")

    def _take(self, frame: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
        if fields.get(b"event") in {b"problem", b"recovered"}:  # told, and waited for
            return
        if b"data" in fields:
            self.seen.append(json.loads(fields[b"data"])["event.id"])
        self.last = fields[b"id"].decode()


class ForgetfulPoll:
    """A client that asks page by page. It loses some answers, and asks again from the last cursor that it kept.

    Attributes:
        seen: the ids of the events, as they came.
        cursor: the `next` of the last answer that it kept.
        kept: how many answers it kept.
        lost: how many it lost.
        refused: how often the service had no answer.
    """

    def __init__(self, client: httpx.AsyncClient, done: Done, chance: random.Random) -> None:
        """It reads until these are all that it wants."""
        self._client = client
        self._done = done
        self._chance = chance
        self.seen: list[str] = []
        self.cursor = ""
        self.kept = self.lost = self.refused = 0

    @property
    def done(self) -> bool:
        """Whether all have come."""
        return self._done(self.seen)

    async def ask(self) -> None:
        """Asks once, and pauses if that brought nothing, as clients do: nothing else would tell it when to ask again."""
        params = {"q": OWN, "after": self.cursor, "limit": str(self._chance.randrange(1, 400))}
        async with self._client.stream("GET", TAIL, params=params) as answer:
            if answer.status_code == 503:
                self.refused += 1
                await asyncio.sleep(_POLL_SECONDS)
                return
            assert answer.status_code == 200
            if self._chance.random() < 1 / 3:
                self.lost += 1
                return  # the connection ends, and nobody has taken the answer
            page = json.loads(await answer.aread())
        self.kept += 1
        self.seen += [event["event.id"] for event in page["events"]]
        self.cursor = page["next"]
        if not page["events"]:
            await asyncio.sleep(_POLL_SECONDS)
