"""`Consumer`: aiokafka's, with what a follower has to know of it besides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import errors as kafka_errors
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import TopicPartition

from streams.event_log import IDP_EVENTS
from streams.log_kafka.compressed import bounding
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.names import Names
from streams.log_kafka.troubles import REQUEST_MS, TROUBLES

REBALANCE_MS: Final = 20_000
"""How long a rebalance waits for a member to give up its partitions."""

_JOIN_MS: Final = REBALANCE_MS + REQUEST_MS
_WORK_MS: Final = 24 * 60 * 60 * 1000
"""How long a member may work on what it has. Long, because another would not get on either while, say, the search index is away."""

_LEAST_FETCH_BYTES: Final = 1 << 20
_MOST_FETCH_BYTES: Final = 4 << 20
_MOST_PARTITION_BYTES: Final = 1 << 20
_STOP_SECONDS: Final = 1.0


class Consumer(AIOKafkaConsumer):  # type: ignore[misc] # published without types
    """Reads committed records only, from the earliest where there is no other place, and commits nothing by itself."""

    def __init__(self, connection: KafkaConnection, *, max_bytes: int, group: str | None = None, wait_ms: int = 100) -> None:
        """Not started yet.

        Args:
            connection: the cluster.
            max_bytes: of what is fetched of a partition at once, and of one answer of a broker; no more than 1 and 4 MB in any case, as a
                partition's records wait in memory for their turn, and a worker may have many partitions.
            group: the group's full name, to become a member of it.
            wait_ms: how long a broker may hold a fetch when there is nothing new; a seek has to wait for the fetch under way, and so has
                a partition that was not in it.
        """
        size = max(max_bytes, _LEAST_FETCH_BYTES)
        super().__init__(
            **connection.settings(),
            client_id="tenantry",
            group_id=group,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=wait_ms,
            fetch_max_bytes=min(size, _MOST_FETCH_BYTES),
            max_partition_fetch_bytes=min(size, _MOST_PARTITION_BYTES),
            # A join is answered when the others have given up their partitions; giving up before it would begin another rebalance.
            request_timeout_ms=REQUEST_MS if group is None else _JOIN_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            max_poll_interval_ms=_WORK_MS,
        )
        # Only there: to the other topics nobody writes but Tenantry, and of a log of record nothing is to be passed over.
        self._client.send = bounding(self._client.send, Names(connection.prefix).topic(IDP_EVENTS))
        self._stopping: asyncio.Task[None] | None = None

    def reached(self, place: TopicPartition) -> int | None:
        """The consumer's position, which markers and aborted records move, too; None if it has none yet or is not assigned."""
        subscription: Any = self._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(place) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else None

    def gives(self, place: TopicPartition) -> bool:
        """Whether it fetches from the partition."""
        return place in self.assignment() and place not in self.paused()

    def end(self, place: TopicPartition) -> int | None:
        """The end of what is committed in the partition, as the last answer has told; None without any."""
        return self.last_stable_offset(place) if place in self.assignment() else None

    async def start(self) -> None:
        """Starts. Whoever gives up waiting does not break it off: aiokafka would leave its first connection open."""
        starting = asyncio.ensure_future(super().start())
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})
            starting.exception()  # seen, and of no interest to whoever has given up
            raise

    def check(self) -> None:
        """Raises what has gone wrong for good with its membership or its fetching, of which `getmany` may say nothing."""
        self._coordinator.check_errors()
        if self._fetcher.error_future.done():
            raise kafka_errors.ConsumerStoppedError("it fetches no longer")

    async def stop(self) -> None:
        """Stops, and leaves the group. aiokafka's own `stop` waits for a rebalance under way, which may wait for another member."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="kafka-stop")
        # Shielded: whoever gives up waiting must not leave half of it open.
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        stopping = asyncio.ensure_future(super().stop())
        await asyncio.wait({stopping}, timeout=_STOP_SECONDS)
        if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
            await self._abandon()
            await asyncio.wait({stopping}, timeout=_STOP_SECONDS)

    async def _abandon(self) -> None:
        coordinator: Any = self._coordinator
        if isinstance(coordinator, GroupCoordinator):
            task = coordinator._coordination_task  # noqa: SLF001 -- aiokafka gives no other way to end it
            task.cancel()
            await asyncio.wait({task})
            await coordinator._stop_heartbeat_task()  # noqa: SLF001
            await coordinator._stop_commit_offsets_refresh_task()  # noqa: SLF001
            if coordinator.member_id and coordinator.coordinator_id is not None:
                # By another connection: on the coordinator's, an unanswered join holds up what comes behind it.
                request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
                with contextlib.suppress(*TROUBLES):
                    async with asyncio.timeout(_STOP_SECONDS):
                        await self._client.send(coordinator.coordinator_id, request)
        for rest in (self._fetcher, self._client):
            if rest is not None:
                await asyncio.wait({asyncio.ensure_future(rest.close())}, timeout=_STOP_SECONDS)


class Listener(ConsumerRebalanceListener):  # type: ignore[misc] # published without types
    """Tells what a rebalance takes, which is everything, and what it gives."""

    def __init__(self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[Iterable[TopicPartition]], Awaitable[None]]) -> None:
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 -- all of them
        """A rebalance begins; it waits until this returns."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A rebalance has ended."""
        await self._assigned(assigned)
