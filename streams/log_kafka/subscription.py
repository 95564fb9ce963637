"""`KafkaSubscription`: an open `follow` without a group; and what one with a group has in common with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, TypeVar

from aiokafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.event_log import Batch, NewRecord, Record, Subscription
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.consumer import Consumer
from streams.log_kafka.places import Place
from streams.log_kafka.troubles import QUESTION_SECONDS, unavailable

P = TypeVar("P", bound=Place)

_POLL_MS: Final = 100
"""How soon a follower notices that only markers came: aiokafka tells of records only. Records are handed out at once."""

_FILL_MS: Final = 20
"""How often a batch that could be larger looks for the rest, and one that waits for its time."""

_WHOLE_BYTES: Final = 12 << 20
"""From this size on a batch is large enough, though there is more: several times what is fetched of a partition at once, since what an
engine costs is mostly per tenant in a batch, and a partition has the same tenants again and again."""

_DECODED_AT_ONCE: Final = 4_000
"""Records that are taken from aiokafka at once. The others wait there undecoded, which takes half the memory."""

_QUIET_SECONDS: Final = 10.0
"""After so long without anything new the broker is asked whether it is there: aiokafka goes on trying in silence."""


class KafkaSubscription(Subscription):
    """Reads from its own place in every partition.

    Everything that talks to Kafka runs in a task of its own, step by step, so that a caller who gives up `next` interrupts nothing.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        stream: str,
        topic: str,
        partitions: Callable[[], Awaitable[int]],
        probe: Callable[[], Awaitable[object]],
        *,
        start: Mapping[int, int] | None = None,
        max_records: int,
        max_bytes: int,
    ) -> None:
        """Not started yet: the first `next` does it.

        Args:
            connection: the cluster.
            stream: what is followed.
            topic: its topic.
            partitions: answers how many partitions the topic has.
            probe: raises LogUnavailable if Kafka is away.
            start: the first offset in each partition; 0 where it is missing.
            max_records: of a batch.
            max_bytes: of a batch.
        """
        self._connection = connection
        self._stream = stream
        self._topic = topic
        self._partitions = partitions
        self._probe = probe
        self._start = dict(start or {})
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._consumer: Consumer | None = None
        self._places: dict[int, Place] = {}
        self._turn = 0
        self._step: asyncio.Task[None] | None = None
        self._heard = 0.0
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.end()

    async def next(self, wait: float | None = None) -> Batch | None:
        deadline = None if wait is None else asyncio.get_running_loop().time() + wait
        looked = False
        while True:
            if self._ended:
                raise LogUnavailable(f"this subscription to {self._stream} has ended")
            if (batch := self.take()) is not None:
                return batch
            step = self.step()
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and left <= 0 and looked:
                return self.take(whole=False)
            await asyncio.wait({step}, timeout=left if left is None else max(0.0, left))
            if not step.done():
                return self.take(whole=False)
            looked = True
            self.stepped(step)

    async def advance(self, batch: Batch, outputs: Sequence[NewRecord] = ()) -> Sequence[Record]:  # noqa: ARG002 -- of the port
        raise ValueError("a subscription without a group has no cursor to advance")

    async def end(self) -> None:
        """Ends it; what was not advanced comes again to the next follower."""
        self._ended = True
        step, self._step = self._step, None
        if step is not None:
            step.cancel()
            await asyncio.wait({step})
            with contextlib.suppress(asyncio.CancelledError):
                step.exception()
        await self.close_consumer()

    def take(self, *, whole: bool = True) -> Batch | None:
        """The next batch of what was fetched, one partition after another; `whole`: of those that have no more, or enough."""
        place = self.pick([place for place in self._places.values() if place.waiting], whole=whole)
        return place.take(self._stream, None, self._max_records, self._max_bytes) if place is not None else None

    def pick(self, waiting: Sequence[P], *, whole: bool) -> P | None:
        """One of the places, in turn."""
        if whole:
            waiting = [place for place in waiting if self._whole(place)]
        if not waiting:
            return None
        self._turn += 1
        return waiting[self._turn % len(waiting)]

    def _whole(self, place: Place) -> bool:
        return place.whole(self._max_records, min(self._max_bytes, _WHOLE_BYTES))

    def step(self) -> asyncio.Task[None]:
        """The step that is being taken."""
        if self._step is None:
            self._step = asyncio.create_task(self._take_step(), name=f"follow-{self._topic}")
        return self._step

    def stepped(self, step: asyncio.Task[None]) -> None:
        """Makes way for the next step; raises what has gone wrong with this one."""
        if self._step is step:
            self._step = None
        if not step.cancelled():
            step.result()

    async def open(self) -> Consumer:
        """A started consumer, whose partitions are assigned or will be."""
        consumer = Consumer(self._connection, max_bytes=self._max_bytes)
        try:
            count = await self._partitions()
            await consumer.start()
            if not self._places:
                self._places = {partition: Place(partition, self._start.get(partition, 0)) for partition in range(count)}
            consumer.assign([self.part(partition) for partition in self._places])
            for partition, place in self._places.items():
                consumer.seek(self.part(partition), place.reached)
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def ready(self) -> bool:
        """Whether it can be fetched from now; called before each fetch."""
        return True

    def part(self, partition: int) -> TopicPartition:
        """A partition of the topic."""
        return TopicPartition(self._topic, partition)

    async def close_consumer(self) -> None:
        """Ends the consumer; the next step starts another, which goes on where this one was."""
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def _take_step(self) -> None:
        """Opens, or fetches, or finds out that it can't."""
        with unavailable(f"follow {self._topic}"):
            try:
                async with asyncio.timeout(QUESTION_SECONDS):
                    if self._consumer is None:
                        self._consumer = await self.open()
                        self._heard = asyncio.get_running_loop().time()
                    self._consumer.check()
                    if await self.ready():
                        await self._fetch(self._consumer)
            except TimeoutError:
                if self._consumer is None:
                    raise
            except LogUnavailable:
                raise
            except Exception:
                await self.close_consumer()
                raise
        if asyncio.get_running_loop().time() - self._heard > _QUIET_SECONDS:
            await self._probe()
            self._heard = asyncio.get_running_loop().time()

    async def _fetch(self, consumer: Consumer) -> None:
        """Fetches more of a partition whose batch is not whole, one after another since all must be kept; else of any."""
        waiting = [place for place in self._places.values() if place.waiting and not self._whole(place)]
        filling = next((place for place in waiting if place.more and consumer.gives(self.part(place.partition))), None)
        parts = [self.part(filling.partition)] if filling is not None else []
        begun = time.monotonic()
        if waiting and not parts:
            # Not as soon as anything comes: each question costs the broker as much as all that comes within some milliseconds.
            await asyncio.sleep(max(0.0, min(_FILL_MS / 1000, *(place.rest for place in waiting))))
        found = await consumer.getmany(*parts, timeout_ms=(_FILL_MS if parts else 0) if waiting else _POLL_MS, max_records=_DECODED_AT_ONCE)
        for partition, place in self._places.items():
            part = self.part(partition)
            reached = consumer.reached(part)
            if reached is not None and (part in found or reached > place.reached):
                place.fetched(found.get(part, ()), reached, consumer.end(part))
                self._heard = asyncio.get_running_loop().time()
            elif place is filling or not consumer.gives(part):
                place.asked_in_vain(time.monotonic() - begun)
