"""Batches that unpack to gigabytes: one record stands for each, and nothing else is lost."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.dead_letters import Reason
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, UNREADABLE, EventLog, Record
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka.compressed import MOST_BYTES, bounded
from streams.router import Router
from streams.runner import Runner
from streams.source_map import SourceMap, declaration
from tests.faults.kafka_workers import until

CODECS: Final = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MOST: Final = 1 << 20
LOGIN: Final = json.dumps({"id": "e1", "time": 1_800_000_000_000, "type": "LOGIN", "realmId": "acme"}).encode()


def batch(codec: int, first: int, *values: bytes, transactional: int = 0) -> bytes:
    """A batch as a broker has it."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, 7, 1, 0, 1 << 30)
    for number, value in enumerate(values):
        builder.append(number, 1_800_000_000_000, None, value, [])
    built = builder.build()
    struct.pack_into(">q", built, 0, first)
    return bytes(built)


def read(records: bytes) -> list[tuple[int, bytes, list[str]]]:
    """The offsets, values and names of headers, as aiokafka reads them."""
    found: list[tuple[int, bytes, list[str]]] = []
    batches = MemoryRecords(records)
    while batches.has_next():
        one: Any = batches.next_batch()
        assert one.validate_crc()
        found += [(record.offset, record.value, [name for name, _ in record.headers]) for record in one]
    return found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_one_record_stands_for_a_batch_that_is_too_large(codec: int) -> None:
    before, after = batch(codec, 10, b"before"), batch(codec, 13, b"after", b"last")
    huge = batch(codec, 11, bytes(MOST // 2), bytes(MOST // 2))
    cut_off = batch(codec, 15, b"cut off")[:-1]
    read_now = read(bounded(before + huge + after + cut_off, 0, MOST))
    assert read_now == [(10, b"before", []), (12, b"", [UNREADABLE]), (13, b"after", []), (14, b"last", [])]


@pytest.mark.parametrize("codec", [0, *CODECS.values()], ids=["none", *CODECS])
def test_what_fits_is_left_as_it_is(codec: int) -> None:
    records = batch(codec, 10, bytes(MOST - 1000)) + batch(codec, 11, b"small")
    assert bounded(records, 0, MOST) is records


def test_uncompressed_batches_are_what_brokers_let_pass() -> None:
    records = batch(0, 10, bytes(2 * MOST))
    assert bounded(records, 0, MOST) is records


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_what_is_damaged_on_its_way_is_left_to_be_fetched_again(codec: int) -> None:
    records = bytearray(batch(codec, 10, bytes(2 * MOST)))
    records[-3] ^= 0xFF
    assert bounded(bytes(records), 0, MOST) == bytes(records)


def test_it_stays_in_its_transaction() -> None:
    huge = batch(CODECS["gzip"], 10, bytes(2 * MOST), transactional=1)
    attributes, last, *_, producer, epoch = struct.unpack_from(">hiqqqh", bounded(huge, 0, MOST), 21)
    assert (attributes, last, producer, epoch) == (0x10, 0, 7, 1)


def test_looking_takes_little_memory() -> None:
    records = batch(CODECS["gzip"], 10, bytes(32 * MOST))
    tracemalloc.start()
    bounded(records, 0, MOST)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * MOST


async def test_the_events_around_a_batch_that_unpacks_to_too_much_arrive(log: KafkaEventLog, connection: KafkaConnection) -> None:
    harm, most = bytes(MOST_BYTES + 1), MOST_BYTES + (1 << 20)
    async with AIOKafkaProducer(**connection.settings(), compression_type="zstd", max_request_size=most, max_batch_size=most) as producer:
        for value in (LOGIN, harm, LOGIN.replace(b"e1", b"e2")):
            await producer.send_and_wait(f"{connection.prefix}.{IDP_EVENTS}", value, partition=0)
    sources = SourceMap()
    sources.apply("acme", [declaration({"provider": "keycloak", "realm_id": "acme"})])
    runner = Runner(log, [Router(sources)])
    runner.start()

    async def passed() -> bool:
        return (await log.cursors(IDP_EVENTS, "router"))[0] == 3

    await until(passed)
    await runner.stop()
    found = b"".join(record.value for record in await all_of(log, TENANT_LOG))
    assert b'"e1"' in found
    assert b'"e2"' in found
    [letter] = await all_of(log, DEAD_LETTERS)
    assert letter.headers["reason"] == Reason.TOO_LARGE
    assert "the records at offsets 1 to 1 are one compressed batch" in letter.headers["message"]


async def all_of(log: EventLog, stream: str) -> list[Record]:
    return [record for partition in await log.ends(stream) for record in await log.read(stream, partition=partition)]
