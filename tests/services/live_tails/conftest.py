"""A service with two tenants for each test of live tails, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.daemon import PATIENCE
from tests.platforms import Site
from tests.served import served


@pytest.fixture
async def acme(here: Site) -> Site:
    """With Acme, whose log is tailed, and Globex, whose events nobody may see there."""
    await here.create("acme")
    await here.create("globex")
    return here


@pytest.fixture
async def client(acme: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The operator's client of the service behind a socket: within one process, answers would come whole, and streams never."""
    async with served(acme.platform) as url, httpx.AsyncClient(base_url=url, headers=acme.operator.headers, timeout=PATIENCE) as found:
        yield found
