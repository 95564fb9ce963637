"""A service that is started before Kafka is there waits for it, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.daemon import PATIENCE
from tests.processes import Service, tenantry
from tests.servers.kafka import Kafka
from tests.workers import Worker


async def waits(service: Service | Worker) -> None:
    """Returns when it has said that it waits."""
    async with asyncio.timeout(PATIENCE):
        while not any("log_unavailable" in line for line in service.lines):
            await asyncio.sleep(0.05)
            assert service.running, list(service.lines)


async def test_a_service_that_is_started_before_kafka_waits_for_it(tmp_path: Path, own: Kafka) -> None:
    own.stop()
    service = Service(tmp_path, log_url=f"kafka://{own.bootstrap}/early", process=0)
    try:
        await service.launch()
        await waits(service)
        assert any("check that its brokers run" in line for line in service.lines), "it says what to look at"
        assert await service.stop() == 0, "it ends in order as soon as it is told to"
        service.lines.clear()
        await service.launch()
        await waits(service)
        await asyncio.to_thread(own.start)
        async with asyncio.timeout(PATIENCE):
            await service.ready.wait()
        assert (await service.get("/readyz")).status_code == 200
        await service.create("acme")
    finally:
        await service.close()


async def test_a_worker_that_waits_for_kafka_ends_when_it_is_told_to(tmp_path: Path) -> None:
    worker = Worker(tmp_path, {"log_url": "kafka://127.0.0.1:1/early", "index_url": "opensearch://127.0.0.1:1/early"})
    try:
        await worker.launch()
        await waits(worker)
        assert await worker.stop() == 0
    finally:
        await worker.close()


async def test_a_log_that_somebody_must_mend_is_not_waited_for(tmp_path: Path, kafka: Any) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("forgetful.tenant-log", 2, 1)])
    finally:
        await admin.close()
    engines: dict[str, Any] = {"log_url": f"kafka://{kafka.bootstrap}/forgetful", "index_url": "opensearch://127.0.0.1:1/forgetful"}
    for command in ("serve", "worker"):
        ran = await tenantry(command, data=tmp_path, port=0, process=0, **engines)
        assert (ran.code, "retention.ms=604800000" in ran.err, "Traceback" in ran.err) == (1, True, False), f"{command}: {ran.err}"
