"""Names on the cluster, and which partition a key is in."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

from streams.event_log import STREAMS

LAYOUT: Final = "layout"
"""The compacted topic that remembers how many partitions the logs of record were created with."""


class Names:
    """Everything that Tenantry creates on the cluster begins with `PREFIX.`, so that one prefixed ACL for each kind is enough."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def topic(self, stream: str) -> str:
        """The topic of a stream."""
        if stream not in STREAMS:
            raise ValueError(f"{stream!r} is not a stream; there are {', '.join(STREAMS)}")
        return f"{self._prefix}.{stream}"

    @property
    def layout(self) -> str:
        """The topic of the layout."""
        return f"{self._prefix}.{LAYOUT}"

    def group(self, group: str) -> str:
        """The consumer group; its offsets are kept apart for each topic."""
        return f"{self._prefix}.{group}"

    def follower(self, group: str, stream: str, member: str) -> str:
        """The transactional id of a member of the group: who takes its partitions over fences it off."""
        return f"{self._prefix}.{group}.{stream}.{member}"

    def writer(self, stream: str, partition: int) -> str:
        """The transactional id of whoever may append to a partition that is appended to conditionally."""
        return f"{self._prefix}.{stream}.{partition}"

    def appender(self, identity: str) -> str:
        """The transactional id of one log object's unconditional appends."""
        return f"{self._prefix}.append.{identity}"


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of the key, as Kafka's default partitioner has it, so that other clients agree (murmur2, positive, modulo)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
