"""`here`: a service with the sample tenants, one for each file of tests that does not make its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.processes import Service, service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with service(tmp_path_factory.mktemp("commands") / "data", sample=1) as running:
        await running.settled()
        yield running
