"""Lines that no log takes."""

from __future__ import annotations

import hashlib
import uuid

from services.events.file_ingest import append_lines
from streams.event_log import DEAD_LETTERS, IDP_EVENTS
from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests.servers.kafka import Kafka


async def test_a_line_that_kafka_does_not_take_is_a_dead_letter_and_the_others_are_taken(kafka: Kafka) -> None:
    log = await KafkaEventLog.open(KafkaConnection((kafka.bootstrap,), f"test-{uuid.uuid4().hex[:12]}", partitions=1))
    long = b'{"id":"%b"}\n' % (b"x" * 5_000_000)
    try:
        run = await append_lines(log, iter([b"{}\n", long, b"{}\n"]), source="keycloak", tenant=None, progress=lambda _: None)
        assert run.lines == 3
        assert sum(run.ends.values()) > 0
        assert [record.value for record in await log.read(IDP_EVENTS)] == [b"{}", b"{}"]
        [letter] = await log.read(DEAD_LETTERS)
    finally:
        await log.close()
    assert letter.value == long[: len(letter.value)]
    assert (letter.headers["reason"], letter.headers["ingest"]) == ("too_large", run.run)
    assert (letter.headers["size"], letter.headers["sha256"]) == (str(len(long)), hashlib.sha256(long).hexdigest())
