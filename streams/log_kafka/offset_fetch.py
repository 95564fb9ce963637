"""A request that aiokafka lacks: a group's offsets, once no transaction is about to change them (KIP-447; Kafka 2.5)."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

UNSTABLE: Final = 88
"""The error of a partition whose offset a transaction is about to change, if stable ones were asked for."""


class _Response(Response):  # type: ignore[misc] # published without types
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", CompactString("utf-8")),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc] # published without types
    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("group", CompactString("utf-8")),
        (
            "topics",
            CompactArray(("name", CompactString("utf-8")), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class OffsetFetch(Request[_Struct]):  # type: ignore[misc] # published without types
    """Asks for a group's offsets in one topic."""

    API_KEY = 9

    def __init__(self, group: str, topic: str, partitions: list[int], *, stable: bool) -> None:
        """`stable` answers an error for partitions whose offset a transaction is about to change."""
        self._group = group
        self._topic = topic
        self._partitions = partitions
        self._stable = stable

    def build(self, request_struct_class: Any) -> Any:
        """The request on the wire."""
        return request_struct_class(self._group, [(self._topic, self._partitions, {})], self._stable, {})
