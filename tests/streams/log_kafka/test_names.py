"""Keys are where every other client of Kafka puts them."""

from __future__ import annotations

import pytest

from streams.event_log import CONTROL, TENANT_LOG
from streams.log_kafka.names import Names, partition_of


@pytest.mark.parametrize(
    ("key", "murmur2"),  # from Kafka's own UtilsTest
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_is_in_the_partition_of_kafkas_default_partitioner(key: str, murmur2: int) -> None:
    for partitions in (1, 2, 3, 12, 1000):
        assert partition_of(key.encode(), partitions) == (murmur2 & 0x7FFFFFFF) % partitions


def test_every_name_begins_with_the_prefix() -> None:
    names = Names("tenantry")
    every = [
        names.topic(TENANT_LOG),
        names.layout,
        names.group("index"),
        names.follower("index", TENANT_LOG, "3"),
        names.writer(CONTROL, 1),
        names.appender("x"),
    ]
    assert all(name.startswith("tenantry.") for name in every)
    assert len(set(every)) == len(every)
