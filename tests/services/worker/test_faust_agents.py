"""Why the hot path does not run as Faust agents: what an agent is given, on a real Kafka. Should Faust change, this says so."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers.kafka import Kafka

_AGENT: Final = """
import sys
import faust

broker, topic = sys.argv.pop(), sys.argv.pop()
app = faust.App(
    topic,
    broker=f"kafka://{broker}",
    store="memory://",
    datadir="faust",
    web_enabled=False,
    topic_disable_leader=True,
    autodiscover=False,
)

@app.agent(app.topic(topic, value_serializer="raw"))
async def watch(values):
    async for value in values:
        print(value.decode(), flush=True)

faust.Worker(app, loglevel="CRITICAL", quiet=True, redirect_stdouts=False).execute_from_commandline()
"""


@pytest.fixture
async def topic(kafka: Kafka) -> str:
    """A topic with a record of a transaction that was aborted, and one that was committed."""
    name = f"faust-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(name, b"aborted")
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send_and_wait(name, b"committed")
    await producer.stop()
    return name


def made_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_an_agent_takes_aborted_records_for_true(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_beginning()
    assert (await consumer.getone()).value == b"committed", "as everybody else sees it"
    await consumer.stop()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", _AGENT, topic, kafka.bootstrap,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=os.environ, cwd=tmp_path,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        seen: list[bytes] = []
        async with asyncio.timeout(60):
            while b"committed" not in seen:
                seen.append((await process.stdout.readline()).strip())
                assert process.returncode is None
        assert any(line.endswith(b"aborted") for line in seen)  # behind what Faust tells a terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert made_in(tmp_path) <= {"faust"}, "Faust makes its folders there, and not where it runs"
