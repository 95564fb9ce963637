"""A service that is started before Kafka is there waits for it, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.daemon import PATIENCE
from tests.processes import Service
from tests.servers.kafka import Kafka


async def waits(service: Service) -> None:
    """Returns when the service has said that it waits."""
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
        await service.stop()
        assert not service.running, "it ends as soon as it is told to"
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
