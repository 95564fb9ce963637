"""Kafka's limit counts the compressed bytes: what others write to `idp-events` may be larger than anything that Tenantry can write."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from services.events.revival import revive, waiting
from streams.dead_letters import Reason
from streams.event_log import DEAD_LETTERS, IDP_EVENTS, TENANT_LOG, EventLog, NewRecord, Record
from streams.log_kafka import KafkaConnection, KafkaEventLog
from streams.log_kafka.records import MAX_RECORD_BYTES, size_of
from streams.raw_event import MAX_HEADER, MAX_LETTER_BYTES, RawEvent, dead_letter
from streams.router import Router
from streams.runner import Runner
from streams.source_map import SourceMap, declaration
from tests.faults.kafka_workers import until

HUGE = b'{"id": "huge", "details": "' + b"x" * 4_200_000 + b'"}'
LOGIN = json.dumps({"id": "e1", "time": 1_800_000_000_000, "type": "LOGIN", "realmId": "acme"}).encode()


async def produce(connection: KafkaConnection, *records: tuple[bytes, list[tuple[str, bytes]]]) -> None:
    """Writes the values with their headers to one partition, as a producer that compresses."""
    producer = AIOKafkaProducer(**connection.settings(), compression_type="gzip", max_request_size=64 << 20, max_batch_size=64 << 20)
    await producer.start()
    for value, headers in records:
        await producer.send_and_wait(f"{connection.prefix}.{IDP_EVENTS}", value, headers=headers, partition=0)
    await producer.stop()


async def all_of(log: EventLog, stream: str) -> Sequence[Record]:
    return [record for partition in await log.ends(stream) for record in await log.read(stream, partition=partition)]


async def routed(log: EventLog, count: int) -> None:
    """Routes until the tenant's log has so many records."""
    sources = SourceMap()
    sources.apply("acme", [declaration({"provider": "keycloak", "realm_id": "acme"})])
    runner = Runner(log, [Router(sources)])
    runner.start()

    async def there() -> bool:
        return len(await all_of(log, TENANT_LOG)) == count

    await until(there)
    await runner.stop()


async def test_a_huge_record_is_a_dead_letter_that_says_where_it_is_and_stays_one(log: KafkaEventLog, connection: KafkaConnection) -> None:
    await produce(connection, (HUGE, []), (LOGIN, []))
    await routed(log, 1)
    [letter] = await all_of(log, DEAD_LETTERS)
    assert letter.value == HUGE[:MAX_LETTER_BYTES]
    assert letter.headers["reason"] == Reason.TOO_LARGE
    assert (letter.headers["size"], letter.headers["sha256"]) == (str(len(HUGE)), hashlib.sha256(HUGE).hexdigest())
    assert "in idp-events, partition 0, offset 0" in letter.headers["message"]
    [whole] = await log.read(IDP_EVENTS, partition=0, limit=1)
    assert whole.value == HUGE

    revived = await revive(log)
    assert (revived.revived, revived.kept, revived.cut) == (0, 0, 1)
    reasons = await waiting(log)
    assert {reason: found.count for reason, found in reasons.items()} == {Reason.TOO_LARGE: 1}
    assert reasons[Reason.TOO_LARGE].message == letter.headers["message"]
    assert (await all_of(log, DEAD_LETTERS))[-1].value == letter.value


async def test_lines_of_a_huge_record_are_placed_and_its_huge_line_is_a_dead_letter(
    log: KafkaEventLog, connection: KafkaConnection
) -> None:
    await produce(connection, (b"\n".join((LOGIN, HUGE, LOGIN)), [("framing", b"lines"), ("identity", b"theirs")]))
    await routed(log, 1)
    [letter] = await all_of(log, DEAD_LETTERS)
    assert (letter.headers["identity"], letter.headers["size"]) == ("theirs-1", str(len(HUGE)))
    assert "in idp-events, partition 0, offset 0" in letter.headers["message"]


async def test_records_that_were_deleted_are_passed_over(log: KafkaEventLog, connection: KafkaConnection) -> None:
    """How an operator gets rid of what no worker survives."""
    part = TopicPartition(f"{connection.prefix}.{IDP_EVENTS}", 0)
    await produce(connection, (b"first", []), (b"deadly", []), (b"last", []))

    async def next_of_group() -> bytes:
        async with log.follow(IDP_EVENTS, "router", max_records=1) as subscription, asyncio.timeout(60):
            while (batch := await subscription.next()) is None or not batch.records:
                pass
            await subscription.advance(batch, [NewRecord(TENANT_LOG, b"segment", "acme")])
            return batch.records[0].value

    assert await next_of_group() == b"first"
    admin = AIOKafkaAdminClient(**connection.settings())
    await admin.start()
    await admin.delete_records({part: RecordsToDelete(before_offset=2)})
    await admin.close()
    assert await next_of_group() == b"last"
    assert (await log.cursors(IDP_EVENTS, "router"))[0] == 3


@pytest.mark.parametrize("name", ["identity", "arrived", "source", "tenant", "ingest", "first"])
async def test_a_huge_header_is_a_dead_letter_without_it(log: KafkaEventLog, connection: KafkaConnection, name: str) -> None:
    await produce(
        connection,
        (b"\n".join([LOGIN] * 100), [("framing", b"lines"), (name, b"\xff" * 4_200_000)]),
        (LOGIN, [("theirs", b"x" * 4_200_000)]),
    )
    await routed(log, 1)
    [letter] = await all_of(log, DEAD_LETTERS)
    assert letter.headers["reason"] == Reason.INTERNAL_ERROR
    assert name in letter.headers["message"]
    assert set(letter.headers) == {"reason", "message", "identity", "arrived"}


def test_the_largest_letter_fits_whatever_its_headers_are() -> None:
    longest = "\N{GRINNING FACE}" * MAX_HEADER
    event = RawEvent(HUGE, longest, 10**MAX_HEADER, longest, longest, longest)
    assert size_of(dead_letter(event, Reason.UNKNOWN_TENANT_SOURCE, longest * 10)) < MAX_RECORD_BYTES


def test_the_size_of_a_record_is_in_bytes() -> None:
    assert size_of(NewRecord(TENANT_LOG, b"four", "\N{GREEK SMALL LETTER ALPHA}", {"\N{SNOWMAN}": "\N{GRINNING FACE}"})) == 4 + 2 + 3 + 4
