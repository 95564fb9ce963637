"""`Member`: a member of a group as the brokers know it, by a transactional id of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.event_log import Record
from streams.log_kafka.broker import Broker, Cursor, Fence
from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.names import Names
from streams.log_kafka.producer import Producer
from streams.log_kafka.records import Addressed


class Member:
    """Notes its id beside each cursor that it commits, so that who takes the partition over knows whom to fence off.

    Attributes:
        identity: its transactional id, which nobody had before.
    """

    def __init__(self, connection: KafkaConnection, broker: Broker, names: Names, group: str, stream: str) -> None:
        self._connection = connection
        self._broker = broker
        self._group = names.group(group)
        self._ids: Final = names.follower(group, stream, "")
        self.identity: Final = names.follower(group, stream, secrets.token_hex(8))
        self._fence: Fence | None = None
        self._producer: Producer | None = None

    async def take_over(self, cursors: Sequence[Cursor]) -> None:
        """Ends what the members before have open in these cursors' partitions, and what itself has, and refuses them from then on."""
        await self.discard()
        # Nothing but members of this group: whoever may commit its offsets could note anything there.
        noted = {cursor.note for cursor in cursors if cursor.note.startswith(self._ids)} - {self.identity}
        await asyncio.gather(*map(self._broker.fence, noted))
        self._fence = await self._broker.fence(self.identity)

    def noted(self, cursors: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """The cursors as they are committed."""
        return {part: OffsetAndMetadata(cursor, self.identity) for part, cursor in cursors.items()}

    async def transact(self, records: Sequence[Addressed], cursors: Mapping[TopicPartition, int]) -> Sequence[Record]:
        """Appends the records and moves the cursors in one transaction; see `Producer.transact`."""
        producer = self._producer
        if producer is None:
            assert self._fence is not None, "take over first"
            producer = self._producer = Producer(self._connection, self.identity, self._fence)
            await producer.start()
        # This one, even if it was discarded meanwhile: what is refused to it is tried again, by another one.
        return await producer.transact(records, self.noted(cursors), self._group)

    async def discard(self) -> None:
        """Ends its producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.discard()
